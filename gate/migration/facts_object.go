package migration

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// objectNode handles DROP, RENAME, SET SCHEMA and what makes and changes
// objects other than tables and indexes.
func (a *analyser) objectNode(n *pg.Node) bool {
	switch {
	case n.GetDropStmt() != nil:
		a.drop(n.GetDropStmt())
	case n.GetRenameStmt() != nil:
		a.rename(n.GetRenameStmt())
	case n.GetAlterObjectSchemaStmt() != nil:
		s := n.GetAlterObjectSchemaStmt()
		act := Action{Verb: SetSchema, Object: objectWord(s.ObjectType), NewName: s.Newschema, IfExists: s.MissingOk}
		a.relOrObject(&act, s.Relation, s.Object, false)
		a.add(0, act)
	case n.GetAlterOwnerStmt() != nil:
		s := n.GetAlterOwnerStmt()
		act := Action{Verb: Alter, Object: objectWord(s.ObjectType)}
		a.relOrObject(&act, s.Relation, s.Object, false)
		a.add(0, act)
	case n.GetCommentStmt() != nil:
		s := n.GetCommentStmt()
		act := Action{Verb: Alter, Object: objectWord(s.Objtype)}
		a.relOrObject(&act, nil, s.Object, isPart(s.Objtype) || s.Objtype == pg.ObjectType_OBJECT_COLUMN)
		a.add(0, act)
	case n.GetDropdbStmt() != nil:
		s := n.GetDropdbStmt()
		a.add(0, Action{Verb: Drop, Object: "database", Name: s.Dbname, IfExists: s.MissingOk})
	case n.GetDropOwnedStmt() != nil:
		s := n.GetDropOwnedStmt()
		for _, r := range s.Roles {
			role := r.GetRoleSpec().GetRolename()
			if role == "" {
				role = "current_user"
			}
			a.add(int(r.GetRoleSpec().GetLocation()), Action{Verb: Drop, Object: "owned objects", Name: role,
				Cascade: s.Behavior == pg.DropBehavior_DROP_CASCADE})
		}
	case n.GetCreateSchemaStmt() != nil:
		s := n.GetCreateSchemaStmt()
		name := s.Schemaname
		if name == "" {
			name = s.Authrole.GetRolename()
		}
		a.add(0, Action{Verb: Create, Object: "schema", Name: name, IfNotExists: s.IfNotExists})
		for _, e := range s.SchemaElts {
			a.inSchema(name, e)
		}
	case n.GetCreateSeqStmt() != nil:
		s := n.GetCreateSeqStmt()
		act := Action{Verb: Create, Object: "sequence", IfNotExists: s.IfNotExists}
		a.rel(&act, s.Sequence)
		a.add(loc(s.Sequence), act)
	case n.GetAlterSeqStmt() != nil:
		s := n.GetAlterSeqStmt()
		act := Action{Verb: Alter, Object: "sequence", IfExists: s.MissingOk, Definition: a.text}
		a.rel(&act, s.Sequence)
		a.add(loc(s.Sequence), act)
	case n.GetViewStmt() != nil:
		s := n.GetViewStmt()
		act := Action{Verb: createVerb(s.Replace), Object: "view", Definition: deparse(a.g, s.Query)}
		a.rel(&act, s.View)
		a.add(loc(s.View), act)
	default:
		return a.typeNode(n) || a.tablePartNode(n)
	}
	return true
}

func createVerb(replace bool) Verb {
	if replace {
		return Replace
	}
	return Create
}

// inSchema analyses an element of CREATE SCHEMA, which is made in that schema.
func (a *analyser) inSchema(schema string, n *pg.Node) {
	first := len(a.facts.Actions)
	a.node(n)
	for i := first; i < len(a.facts.Actions); i++ {
		if a.facts.Actions[i].Schema == "" {
			a.facts.Actions[i].Schema = schema
		}
	}
}

// relOrObject fills in the name, whichever way the grammar gives it.
func (a *analyser) relOrObject(act *Action, r *pg.RangeVar, n *pg.Node, part bool) {
	if r != nil {
		a.rel(act, r)
		return
	}
	parts := objectParts(n)
	if part && len(parts) > 1 {
		act.Part = parts[len(parts)-1]
		parts = parts[:len(parts)-1]
	}
	act.Schema, act.Name = schemaAndName(parts)
}

func (a *analyser) drop(s *pg.DropStmt) {
	w := a.words()
	_, i := w.object(1)
	for w.at(i) == "CONCURRENTLY" || w.has(i, "IF", "EXISTS") {
		if w.at(i) == "IF" {
			i++
		}
		i++
	}
	offs := a.listOffsets(i)
	for n, o := range s.Objects {
		act := Action{
			Verb: Drop, Object: objectWord(s.RemoveType), IfExists: s.MissingOk,
			Concurrently: s.Concurrent, Cascade: s.Behavior == pg.DropBehavior_DROP_CASCADE,
		}
		a.relOrObject(&act, nil, o, isPart(s.RemoveType))
		a.add(offset(offs, n), act)
	}
}

func (a *analyser) rename(s *pg.RenameStmt) {
	act := Action{Verb: Rename, Object: objectWord(s.RenameType), NewName: s.Newname, IfExists: s.MissingOk}
	switch s.RenameType {
	case pg.ObjectType_OBJECT_COLUMN, pg.ObjectType_OBJECT_TABCONSTRAINT, pg.ObjectType_OBJECT_DOMCONSTRAINT,
		pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY, pg.ObjectType_OBJECT_ATTRIBUTE:
		act.Part = s.Subname
		a.relOrObject(&act, s.Relation, s.Object, false)
	case pg.ObjectType_OBJECT_SCHEMA, pg.ObjectType_OBJECT_DATABASE, pg.ObjectType_OBJECT_ROLE, pg.ObjectType_OBJECT_TABLESPACE:
		act.Name = s.Subname
	default:
		a.relOrObject(&act, s.Relation, s.Object, false)
	}
	a.add(0, act)
}

// typeNode handles types and domains.
func (a *analyser) typeNode(n *pg.Node) bool {
	create := func(object string, parts []string, values []string) {
		act := Action{Verb: Create, Object: object, Values: values}
		act.Schema, act.Name = schemaAndName(parts)
		a.add(0, act)
	}
	switch {
	case n.GetCreateEnumStmt() != nil:
		s := n.GetCreateEnumStmt()
		values := names(s.Vals)
		if values == nil {
			values = []string{}
		}
		create("type", names(s.TypeName), values)
	case n.GetAlterEnumStmt() != nil:
		s := n.GetAlterEnumStmt()
		act := Action{Verb: Add, Object: "enum value", Part: s.NewVal, IfNotExists: s.SkipIfNewValExists}
		if s.OldVal != "" {
			act.Verb, act.Part, act.NewName = Rename, s.OldVal, s.NewVal
		}
		act.Schema, act.Name = schemaAndName(names(s.TypeName))
		a.add(0, act)
	case n.GetCompositeTypeStmt() != nil:
		act := Action{Verb: Create, Object: "type"}
		a.rel(&act, n.GetCompositeTypeStmt().Typevar)
		a.add(0, act)
	case n.GetCreateRangeStmt() != nil:
		create("type", names(n.GetCreateRangeStmt().TypeName), nil)
	case n.GetAlterTypeStmt() != nil:
		act := Action{Verb: Alter, Object: "type", Definition: a.text}
		act.Schema, act.Name = schemaAndName(names(n.GetAlterTypeStmt().TypeName))
		a.add(0, act)
	case n.GetCreateDomainStmt() != nil:
		s := n.GetCreateDomainStmt()
		act := Action{Verb: Create, Object: "domain", Type: deparseType(a.g, s.TypeName)}
		act.Schema, act.Name = schemaAndName(names(s.Domainname))
		a.add(0, act)
	case n.GetAlterDomainStmt() != nil:
		a.alterDomain(n.GetAlterDomainStmt())
	case n.GetDefineStmt() != nil:
		s := n.GetDefineStmt()
		act := Action{Verb: createVerb(s.Replace), Object: objectWord(s.Kind), IfNotExists: s.IfNotExists}
		act.Schema, act.Name = schemaAndName(names(s.Defnames))
		a.add(0, act)
	default:
		return false
	}
	return true
}

func (a *analyser) alterDomain(s *pg.AlterDomainStmt) {
	act := Action{Verb: Alter, Object: "domain", Definition: a.text, IfExists: s.MissingOk,
		Cascade: s.Behavior == pg.DropBehavior_DROP_CASCADE}
	act.Schema, act.Name = schemaAndName(names(s.TypeName))
	switch s.Subtype {
	case "C":
		c := s.Def.GetConstraint()
		act.Verb, act.Object, act.Part = Add, "domain constraint", c.GetConname()
		act.NotValid, act.Constraint = c.GetSkipValidation(), constraintWords[c.GetContype()]
		act.Definition = deparseConstraint(a.g, c)
	case "X":
		act.Verb, act.Object, act.Part = Drop, "domain constraint", s.Name
	case "V":
		act.Verb, act.Object, act.Part = Validate, "domain constraint", s.Name
	case "O":
		act.Verb = SetNotNull
	case "N":
		act.Verb = DropNotNull
	case "T":
		act.Verb = DropDefault
		if s.Def != nil {
			act.Verb, act.Default = SetDefault, deparseExpr(a.g, s.Def)
		}
	}
	a.add(0, act)
}

// tablePartNode handles what hangs on tables, and routines.
func (a *analyser) tablePartNode(n *pg.Node) bool {
	part := func(verb Verb, object string, r *pg.RangeVar, name string) {
		act := Action{Verb: verb, Object: object, Part: name}
		a.rel(&act, r)
		a.add(0, act)
	}
	switch {
	case n.GetCreateTrigStmt() != nil:
		s := n.GetCreateTrigStmt()
		part(createVerb(s.Replace), "trigger", s.Relation, s.Trigname)
	case n.GetRuleStmt() != nil:
		s := n.GetRuleStmt()
		part(createVerb(s.Replace), "rule", s.Relation, s.Rulename)
		within := a.within
		a.within = a.inside("rule " + s.Rulename)
		for _, act := range s.Actions {
			a.dml(act)
		}
		a.within = within
	case n.GetCreatePolicyStmt() != nil:
		s := n.GetCreatePolicyStmt()
		part(Create, "policy", s.Table, s.PolicyName)
	case n.GetAlterPolicyStmt() != nil:
		s := n.GetAlterPolicyStmt()
		part(Alter, "policy", s.Table, s.PolicyName)
	case n.GetCreateStatsStmt() != nil:
		s := n.GetCreateStatsStmt()
		act := Action{Verb: Create, Object: "statistics", IfNotExists: s.IfNotExists}
		act.Schema, act.Name = schemaAndName(names(s.Defnames))
		if len(s.Relations) > 0 {
			act.On = relName(s.Relations[0].GetRangeVar())
		}
		a.add(0, act)
	case n.GetCreateFunctionStmt() != nil:
		a.createRoutine(n.GetCreateFunctionStmt())
	default:
		return false
	}
	return true
}
