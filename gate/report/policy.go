package report

import (
	"math"
	"time"

	"github.com/migration-gate/migration-gate/gate"
)

// policyDoc is gate.Policy in JSON, with durations in milliseconds.
type policyDoc struct {
	MaxExclusiveMS    float64                  `json:"max_exclusive_ms"`
	MaxWriteBlockMS   float64                  `json:"max_write_block_ms"`
	Tables            []tablePolicyDoc         `json:"tables,omitempty"`
	Reversal          gate.Reversal            `json:"reversal"`
	DeprecationPrefix string                   `json:"deprecation_prefix"`
	FailOn            gate.Severity            `json:"fail_on"`
	Rules             map[string]gate.Severity `json:"rules,omitempty"`
	Strict            bool                     `json:"strict"`
	Only              []string                 `json:"only,omitempty"`
}

type tablePolicyDoc struct {
	Pattern         string   `json:"pattern"`
	MaxExclusiveMS  *float64 `json:"max_exclusive_ms,omitempty"`
	MaxWriteBlockMS *float64 `json:"max_write_block_ms,omitempty"`
}

func newPolicyDoc(p gate.Policy) *policyDoc {
	d := &policyDoc{
		MaxExclusiveMS: exactMS(p.MaxExclusive), MaxWriteBlockMS: exactMS(p.MaxWriteBlock),
		Reversal: p.Reversal, DeprecationPrefix: p.DeprecationPrefix, FailOn: p.FailOn,
		Rules: p.Rules, Strict: p.Strict, Only: p.Only,
	}
	for _, t := range p.Tables {
		d.Tables = append(d.Tables, tablePolicyDoc{t.Pattern, optionalMS(t.MaxExclusive), optionalMS(t.MaxWriteBlock)})
	}
	return d
}

func (d *policyDoc) policy() gate.Policy {
	if d == nil {
		return gate.Policy{}
	}
	p := gate.Policy{
		MaxExclusive: fromMS(d.MaxExclusiveMS), MaxWriteBlock: fromMS(d.MaxWriteBlockMS),
		Reversal: d.Reversal, DeprecationPrefix: d.DeprecationPrefix, FailOn: d.FailOn,
		Rules: d.Rules, Strict: d.Strict, Only: d.Only,
	}
	for _, t := range d.Tables {
		tp := gate.TablePolicy{Pattern: t.Pattern}
		if t.MaxExclusiveMS != nil {
			v := fromMS(*t.MaxExclusiveMS)
			tp.MaxExclusive = &v
		}
		if t.MaxWriteBlockMS != nil {
			v := fromMS(*t.MaxWriteBlockMS)
			tp.MaxWriteBlock = &v
		}
		p.Tables = append(p.Tables, tp)
	}
	return p
}

// Limits are somebody's input, not a measurement: they are not rounded.
func exactMS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func optionalMS(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	v := exactMS(*d)
	return &v
}

func fromMS(v float64) time.Duration { return time.Duration(math.Round(v * float64(time.Millisecond))) }
