package snapshot

import "strings"

// Excerpts are both definitions of an object that changed, white space folded,
// each cut, by the mark, to about most characters around the first difference: two long
// functions that begin alike must not look the same. Where they differ in white
// space alone, they are equal.
func (c Change) Excerpts(most int, mark string) (before, after string) {
	if c.Before == nil || c.After == nil {
		return "", ""
	}
	a := []rune(strings.Join(strings.Fields(c.Before.Definition), " "))
	b := []rune(strings.Join(strings.Fields(c.After.Definition), " "))
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	from := 0
	if max(len(a), len(b)) > most {
		// A third of the room is for what stands before, from the beginning of
		// a word, if there is one that is not too long.
		from = max(0, same-most/3)
		for i := from; i > 0 && i < same; i++ {
			if a[i-1] == ' ' {
				from = i
				break
			}
		}
		if from < most/6 {
			from = 0 // as much as the mark would take
		}
	}
	return excerpt(a, from, most, mark), excerpt(b, from, most, mark)
}

func excerpt(text []rune, from, most int, mark string) string {
	head, tail := "", ""
	if from > 0 {
		head = mark + " "
	}
	if text = text[from:]; len(text) > most {
		text, tail = text[:most], " "+mark
	}
	return head + string(text) + tail
}
