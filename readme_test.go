package flashstore_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadme holds the README's Go to what is compiled and run: each block
// stands, line by line, in example_test.go.
func TestReadme(t *testing.T) {
	examples := lines(mustRead(t, "example_test.go"))
	blocks := strings.Split(mustRead(t, "README.md"), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("the README shows no Go")
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(examples, lines(block)) {
			t.Errorf("no example has this block of the README:\n%s", block)
		}
	}
}

// lines returns text without its indentation.
func lines(text string) string {
	var trimmed []string
	for line := range strings.Lines(text) {
		trimmed = append(trimmed, strings.TrimSpace(line))
	}
	return strings.Join(trimmed, "\n")
}

func mustRead(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
