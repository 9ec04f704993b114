package storage

import (
	"maps"
	"slices"

	"github.com/flashstore/flashstore/models"
)

// fold computes levels from answers, for the facts of one user and one
// operation. Two facts do not touch each other.
type fold struct {
	rules *Rules
	facts map[string]*models.MasteryStat
	late  map[string]bool // facts with an answer that came after a later one
}

// newFold goes on from levels that are stored.
func newFold(rules *Rules, stored []models.MasteryStat) *fold {
	f := &fold{rules: rules, facts: make(map[string]*models.MasteryStat, len(stored)), late: map[string]bool{}}
	for i := range stored {
		f.facts[stored[i].Fact] = &stored[i]
	}
	return f
}

// add folds one answer in, which must come after those that are in already; if
// it does not, its fact is marked late.
func (f *fold) add(e models.AnswerEvent) {
	stat, ok := f.facts[e.Fact]
	if !ok {
		stat = &models.MasteryStat{UserID: e.UserID, Operation: e.Operation, Fact: e.Fact}
		f.facts[e.Fact] = stat
	}
	if e.ID.Compare(stat.LastAnswerID) <= 0 {
		f.late[e.Fact] = true
		return
	}
	f.rules.fold(stat, e)
}

// fold adds an answer to the level of its fact.
func (r *Rules) fold(stat *models.MasteryStat, e models.AnswerEvent) {
	stat.LastDelta = r.Mastery(r, e.Correct, e.ResponseTimeMS)
	stat.MasteryLevel = stat.MasteryLevel.Add(stat.LastDelta)
	stat.LastAnswerID = e.ID
	stat.LastResponseTime = e.ResponseTimeMS
	stat.UpdatedAt = e.CreatedAt
	stat.Attempts++
	stat.TotalResponseMS += e.ResponseTimeMS
	if e.Correct {
		stat.CorrectCount++
	}
}

// lateFacts returns the facts whose levels need the whole log.
func (f *fold) lateFacts() []string { return slices.Sorted(maps.Keys(f.late)) }

// again folds facts from nothing, over all of their answers.
func (f *fold) again(facts []string, log []models.AnswerEvent) {
	for _, fact := range facts {
		delete(f.facts, fact)
		delete(f.late, fact)
	}
	for _, e := range log {
		f.add(e)
	}
}

// stats returns the levels in the order of their facts.
func (f *fold) stats() []models.MasteryStat {
	stats := make([]models.MasteryStat, 0, len(f.facts))
	for _, fact := range slices.Sorted(maps.Keys(f.facts)) {
		stats = append(stats, *f.facts[fact])
	}
	return stats
}
