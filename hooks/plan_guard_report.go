package hooks

import (
	"fmt"
	"strings"
)

// failure returns what a failed test says.
func (l *planLook) failure(advice planAdvice) string {
	var b strings.Builder
	b.WriteString("plan guard: this statement does more work than it needs to\n")
	b.WriteString(indented(strings.TrimSpace(l.query), 4))
	b.WriteString("\n  its plan:\n")
	for _, step := range l.plan {
		b.WriteString(indented(step.detail, 4+2*step.depth) + "\n")
	}
	b.WriteString("  what is wrong:\n")
	for _, p := range l.problems {
		fmt.Fprintf(&b, "    %s: it %s\n", p.step.detail, p.text)
	}
	if len(advice.indexes) > 0 {
		b.WriteString("  an index that helps, tried on an empty copy of the schema:\n")
		b.WriteString(indented(strings.Join(advice.indexes, "\n"), 4) + "\n")
	}
	if advice.note != "" {
		b.WriteString("  " + advice.note + "\n")
	}
	b.WriteString("  or say why it is good enough: hooks.PlanGuardConfig.Allow, db.Clauses(hooks.AllowPlan(\"…\"))")
	return b.String()
}

// indented puts n spaces before each line of text.
func indented(text string, n int) string {
	space := strings.Repeat(" ", n)
	return space + strings.ReplaceAll(text, "\n", "\n"+space)
}
