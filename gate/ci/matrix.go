package ci

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MatrixName spells what tells one run of a job from another: a job's matrix as
// toJSON(matrix) gives it ({"engine":"mysql","dir":"db"} is "dir=db,
// engine=mysql", null and {} are nothing), or any other text as it is.
func MatrixName(text string) string {
	text = strings.TrimSpace(text)
	var matrix map[string]any
	if err := json.Unmarshal([]byte(text), &matrix); err != nil {
		return strings.Join(strings.Fields(text), " ")
	}
	parts := make([]string, 0, len(matrix))
	for _, k := range slices.Sorted(maps.Keys(matrix)) {
		v := matrix[k]
		if s, ok := v.(string); ok {
			parts = append(parts, k+"="+s)
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			b = fmt.Append(nil, v)
		}
		parts = append(parts, k+"="+string(b))
	}
	return strings.Join(parts, ", ")
}
