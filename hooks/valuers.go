package hooks

import (
	"database/sql/driver"
	"slices"
)

// valued returns args, with its value in the place of each driver.Valuer.
// database/sql asks them when it has the connection already, and in a query
// does not give it back where one panics: nobody would write any more, and a
// transaction's Rollback would wait for ever. An error is left for database/sql
// to find.
func valued(args []any) []any {
	if !slices.ContainsFunc(args, isValuer) {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if !isValuer(arg) {
			continue
		}
		if value, err := driver.DefaultParameterConverter.ConvertValue(arg); err == nil {
			args[i] = value
		}
	}
	return args
}

func isValuer(arg any) bool {
	_, ok := arg.(driver.Valuer)
	return ok
}
