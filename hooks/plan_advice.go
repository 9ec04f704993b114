package hooks

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// planAdvice is what a failure says at its end.
type planAdvice struct {
	indexes []string // ready to run
	note    string
}

// advise looks for indexes that take the problems away. It tries them before
// it names them.
func (l *planLook) advise(driver driver.Driver) (advice planAdvice, err error) {
	candidates, err := l.candidates()
	if err != nil {
		return advice, err
	}
	if len(candidates) == 0 {
		return planAdvice{note: "no index can be derived from the text of this statement"}, nil
	}
	trial, err := newPlanTrial(l, driver)
	if err != nil {
		return advice, err
	}
	defer func() { err = errors.Join(err, trial.close()) }()
	chosen, left, err := trial.choose(candidates)
	switch {
	case err != nil:
		return advice, err
	case len(chosen) == 0 && left > 0:
		advice.note = "none of the indexes that can be derived from the text of this statement helps it"
	case len(chosen) == 0:
		advice.note = "in an empty copy of the schema the plan is better: run ANALYZE, or look at what it found"
	case left > 0:
		advice.note = "it helps with only a part of this"
	}
	for _, index := range chosen {
		name, err := l.freeName(index.name())
		if err != nil {
			return advice, err
		}
		advice.indexes = append(advice.indexes, index.sql(name))
	}
	return advice, nil
}

// candidates returns the indexes to try, each of them once: those of the
// problems' own tables first, then those of the others, for a join may turn
// around.
func (l *planLook) candidates() ([]planIndex, error) {
	var tables []string
	var all []planIndex
	for _, p := range l.problems {
		tables = append(tables, p.table)
		var columns []planColumn
		for _, name := range p.step.columns {
			columns = append(columns, planColumn{name: name})
		}
		all = append(all, newPlanIndex(p.table, columns)...)
	}
	tables = append(tables, slices.Sorted(maps.Values(l.text.aliases))...)
	adviser, err := newPlanAdviser(l.conn, l.text, tables)
	if err != nil {
		return nil, err
	}
	for _, table := range tables {
		all = append(all, adviser.indexes(table)...)
	}
	var once []planIndex
	for _, index := range all {
		if !slices.ContainsFunc(once, func(known planIndex) bool { return known.sql("") == index.sql("") }) {
			once = append(once, index)
		}
	}
	return once[:min(len(once), mostCandidates)], nil
}

// mostCandidates bounds the indexes that are tried, alone and in pairs.
const mostCandidates = 16

// freeName returns name, with a number if there is something of that name.
func (l *planLook) freeName(name string) (string, error) {
	free := name
	for n := 2; ; n++ {
		taken, err := l.conn.texts(findIndexName, free)
		if err != nil || len(taken) == 0 {
			return free, err
		}
		free = fmt.Sprintf("%s_%d", name, n)
	}
}
