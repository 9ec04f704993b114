package migrations

import (
	"embed"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"gorm.io/gorm"
)

// A name in braces, {users}, is a table or index that takes the prefix.
//
//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// migration is one step of the history in one dialect.
type migration struct {
	version  string // the file's name: 0001_practice
	up, down string
}

// history returns all migrations for the dialect, in their order.
func history(d *dialect) ([]migration, error) {
	ups, err := fs.Glob(files, d.name+"/*.up.sql")
	if err != nil {
		return nil, err
	}
	list := make([]migration, 0, len(ups))
	for _, name := range ups {
		up, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		down, err := files.ReadFile(strings.TrimSuffix(name, ".up.sql") + ".down.sql")
		if err != nil {
			return nil, err
		}
		version := strings.TrimSuffix(path.Base(name), ".up.sql")
		list = append(list, migration{version: version, up: string(up), down: string(down)})
	}
	return list, nil
}

var (
	placeholder = regexp.MustCompile(`\{(\w+)\}`)
	validPrefix = regexp.MustCompile(`^([a-z][a-z0-9_]*)?$`)
)

// statements returns the script's statements with prefix before its names:
// a driver with a statement cache may run only the first of a script (T22).
func statements(script, prefix string) []string {
	script = placeholder.ReplaceAllString(script, prefix+"$1")
	var list []string
	for statement := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(statement) != "" {
			list = append(list, statement)
		}
	}
	return list
}

// run executes a script in tx, statement by statement.
func run(tx *gorm.DB, script, prefix string) error {
	for _, statement := range statements(script, prefix) {
		if err := tx.Exec(statement).Error; err != nil {
			return err
		}
	}
	return nil
}
