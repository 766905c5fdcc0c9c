package migration

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }

// walk visits every node of a tree, parents first, until visit says false for
// a node's inside.
func walk(m protoreflect.Message, visit func(proto.Message) bool) {
	if !m.IsValid() || !visit(m.Interface()) {
		return
	}
	if n, ok := m.Interface().(*pg.Node); ok {
		// One of 270 fields is set: asking for each would take most of the time.
		if fd := m.WhichOneof(nodeOneof(n)); fd != nil {
			walk(m.Get(fd).Message(), visit)
		}
		return
	}
	fields := m.Descriptor().Fields()
	for i := 0; i < fields.Len(); i++ {
		fd := fields.Get(i)
		if fd.Kind() != protoreflect.MessageKind || !m.Has(fd) {
			continue
		}
		v := m.Get(fd)
		if !fd.IsList() {
			walk(v.Message(), visit)
			continue
		}
		for i := 0; i < v.List().Len(); i++ {
			walk(v.List().Get(i).Message(), visit)
		}
	}
}

func nodeOneof(n *pg.Node) protoreflect.OneofDescriptor {
	return n.ProtoReflect().Descriptor().Oneofs().Get(0)
}

// names turns a qualified name, as a list of String nodes, into its parts.
func names(list []*pg.Node) []string {
	var out []string
	for _, n := range list {
		if s := n.GetString_(); s != nil {
			out = append(out, s.Sval)
		}
	}
	return out
}

// schemaAndName takes the last two parts of a qualified name.
func schemaAndName(parts []string) (schema, name string) {
	switch n := len(parts); n {
	case 0:
		return "", ""
	case 1:
		return "", parts[0]
	default:
		return parts[n-2], parts[n-1]
	}
}

func qualified(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

func relName(r *pg.RangeVar) string { return qualified(r.GetSchemaname(), r.GetRelname()) }

// objectParts reads the name out of the several shapes DROP, ALTER and
// COMMENT give it.
func objectParts(n *pg.Node) []string {
	switch {
	case n.GetString_() != nil:
		return []string{n.GetString_().Sval}
	case n.GetList() != nil:
		return names(n.GetList().Items)
	case n.GetTypeName() != nil:
		return names(n.GetTypeName().Names)
	case n.GetObjectWithArgs() != nil:
		return names(n.GetObjectWithArgs().Objname)
	case n.GetRangeVar() != nil:
		r := n.GetRangeVar()
		if r.Schemaname == "" {
			return []string{r.Relname}
		}
		return []string{r.Schemaname, r.Relname}
	}
	return nil
}

// objectWord is the manual's word for a kind of object.
func objectWord(t pg.ObjectType) string {
	switch t {
	case pg.ObjectType_OBJECT_MATVIEW:
		return "materialized view"
	case pg.ObjectType_OBJECT_TABCONSTRAINT:
		return "constraint"
	case pg.ObjectType_OBJECT_DOMCONSTRAINT:
		return "domain constraint"
	case pg.ObjectType_OBJECT_STATISTIC_EXT:
		return "statistics"
	case pg.ObjectType_OBJECT_TSCONFIGURATION:
		return "text search configuration"
	case pg.ObjectType_OBJECT_TSDICTIONARY:
		return "text search dictionary"
	case pg.ObjectType_OBJECT_TSPARSER:
		return "text search parser"
	case pg.ObjectType_OBJECT_TSTEMPLATE:
		return "text search template"
	case pg.ObjectType_OBJECT_FDW:
		return "foreign data wrapper"
	case pg.ObjectType_OBJECT_FOREIGN_SERVER:
		return "server"
	case pg.ObjectType_OBJECT_OPCLASS:
		return "operator class"
	case pg.ObjectType_OBJECT_OPFAMILY:
		return "operator family"
	case pg.ObjectType_OBJECT_LARGEOBJECT:
		return "large object"
	}
	s := strings.TrimPrefix(t.String(), "OBJECT_")
	return strings.ToLower(strings.ReplaceAll(s, "_", " "))
}

// isPart reports whether the object hangs on a table, whose name comes first.
func isPart(t pg.ObjectType) bool {
	switch t {
	case pg.ObjectType_OBJECT_TRIGGER, pg.ObjectType_OBJECT_RULE, pg.ObjectType_OBJECT_POLICY,
		pg.ObjectType_OBJECT_TABCONSTRAINT, pg.ObjectType_OBJECT_DOMCONSTRAINT:
		return true
	}
	return false
}

func protoEqual(a, b proto.Message) bool { return proto.Equal(a, b) }
