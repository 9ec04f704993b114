package main

import (
	"testing"

	"github.com/flashstore/flashstore/maintenance"
)

func TestAdvise(t *testing.T) {
	path := class(t)
	before := dump(t, path)
	call(t, "advise", "--db", path).must(t, 0).quiet(t).says(t, "size", "processes", "rows were logged in the last day of use", "SQLite serves")
	var got maintenance.Advices
	call(t, "advise", "--db", path, "--json").must(t, 0).quiet(t).mustJSON(t, &got)
	if got.Figures.Writes.Rows != int64(len(before["answer_events"])) || got.Figures.Writes.BusiestHour == 0 {
		t.Errorf("got %+v", got.Figures.Writes)
	}
	// Another program's database has no log of answers.
	call(t, "advise", "--db", foreign(t)).must(t, 0).says(t, "not known", "journal_mode is delete")
	call(t, "advise", "--db", tempDB(t)).must(t, 1).says(t, "there is no database at")
	call(t, "advise", "--db", "postgres://localhost:1/class").must(t, 2).says(t, "is for SQLite files")
}
