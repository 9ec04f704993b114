package storage

import (
	"cmp"
	"slices"

	"github.com/flashstore/flashstore/models"
)

// bookAnswers writes answers to the log, in the order of their ids and not
// expected to be there, folds them into their facts' levels, and notes that
// their users are to be rolled up. What was answered once is added to its level
// where that stands, all of it in one statement; what was answered several times
// is read, folded and written.
func (u *unit) bookAnswers(events []models.AnswerEvent) error {
	once, often := byFrequency(events)
	written, err := u.putAll(newAnswers, answerValues(events), u.steps(once), rollupTasks(events))
	if err := allNew(len(events))(written[0], err); err != nil {
		return err
	}
	late, err := u.lateOf(once, written[1])
	if err != nil {
		return err
	}
	return eachOperation(append(often, late...), u.foldMastery)
}

// newAnswers are the rows of answers that come for the first time.
var newAnswers = declareTogether(insertAnswers, addLevels, insertRollupTasks)

// factKey is the key of a level.
type factKey struct {
	user            int64
	operation, fact string
}

func keyOf(e models.AnswerEvent) factKey { return factKey{e.UserID, e.Operation, e.Fact} }

// byFrequency parts answers to facts that occur once from the others.
func byFrequency(events []models.AnswerEvent) (once, often []models.AnswerEvent) {
	count := make(map[factKey]int, len(events))
	for _, e := range events {
		count[keyOf(e)]++
	}
	if len(count) == len(events) {
		return events, nil
	}
	for _, e := range events {
		if count[keyOf(e)] == 1 {
			once = append(once, e)
		} else {
			often = append(often, e)
		}
	}
	return once, often
}

// eachOperation calls fn for the answers of each user and operation, in the
// order of their ids.
func eachOperation(events []models.AnswerEvent, fn func(userID int64, operation string, events []models.AnswerEvent) error) error {
	slices.SortFunc(events, func(a, b models.AnswerEvent) int {
		return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.Operation, b.Operation), a.ID.Compare(b.ID))
	})
	for len(events) > 0 {
		user, operation := events[0].UserID, events[0].Operation
		end := slices.IndexFunc(events, func(e models.AnswerEvent) bool { return e.UserID != user || e.Operation != operation })
		if end < 0 {
			end = len(events)
		}
		if err := fn(user, operation, events[:end]); err != nil {
			return err
		}
		events = events[end:]
	}
	return nil
}

// steps are what answers to different facts add to their levels.
func (u *unit) steps(events []models.AnswerEvent) []any {
	args := make([]any, 0, len(events)*addLevels.columns)
	for _, e := range events {
		stat := models.MasteryStat{UserID: e.UserID, Operation: e.Operation, Fact: e.Fact}
		u.cfg.Rules.fold(&stat, e)
		args = append(args, levelValues(stat)...)
	}
	return args
}

// lateOf returns those of answers to different facts that came after a later
// one to their fact, if fewer levels were written than answers: theirs are as
// they were.
func (u *unit) lateOf(events []models.AnswerEvent, written int64) (late []models.AnswerEvent, err error) {
	if written == int64(len(events)) {
		return nil, nil
	}
	err = eachOperation(slices.Clone(events), func(user int64, operation string, part []models.AnswerEvent) error {
		behind, err := u.behindLevels(user, operation, part)
		late = append(late, behind...)
		return err
	})
	return late, err
}

// addLevels is one step of the fold as the database does it, where the answer
// is later than the last one.
var addLevels = declareInsert(insertLevels, levelTypes, stepLevels+`,
  last_answer_id     = excluded.last_answer_id
WHERE excluded.last_answer_id > {mastery_stats}.last_answer_id`)

// stepLevels is that step without the answer that it comes from.
const stepLevels = `
ON CONFLICT (user_id, operation, fact) DO UPDATE SET
  mastery_level      = CASE
    WHEN {mastery_stats}.mastery_level + excluded.last_delta < 0.0 THEN 0.0
    WHEN {mastery_stats}.mastery_level + excluded.last_delta > 5.0 THEN 5.0
    ELSE round({mastery_stats}.mastery_level + excluded.last_delta, 2) END,
  last_delta         = excluded.last_delta,
  attempts           = {mastery_stats}.attempts + excluded.attempts,
  correct_count      = {mastery_stats}.correct_count + excluded.correct_count,
  total_response_ms  = {mastery_stats}.total_response_ms + excluded.total_response_ms,
  last_response_time = excluded.last_response_time,
  updated_at         = excluded.updated_at`

// setLevels writes levels over what is there.
var setLevels = declareInsert(insertLevels, levelTypes, `
ON CONFLICT (user_id, operation, fact) DO UPDATE SET
  mastery_level      = excluded.mastery_level,
  last_delta         = excluded.last_delta,
  last_answer_id     = excluded.last_answer_id,
  attempts           = excluded.attempts,
  correct_count      = excluded.correct_count,
  total_response_ms  = excluded.total_response_ms,
  last_response_time = excluded.last_response_time,
  updated_at         = excluded.updated_at`)

const (
	insertLevels = `
INSERT INTO {mastery_stats}
  (` + masteryColumns + `)`
	levelTypes = "bigint, text, text, double precision, double precision, uuid, bigint, bigint, bigint, bigint, bigint"
)

// levelValues are a level's columns in their order.
func levelValues(s models.MasteryStat) []any {
	return []any{
		s.UserID, s.Operation, s.Fact, s.MasteryLevel, s.LastDelta, s.LastAnswerID,
		s.Attempts, s.CorrectCount, s.TotalResponseMS, s.LastResponseTime, s.UpdatedAt.UnixMilli(),
	}
}

// behindLevels returns the answers that are not the last of their fact.
func (u *unit) behindLevels(user int64, operation string, events []models.AnswerEvent) (late []models.AnswerEvent, err error) {
	stored, err := u.masteryOf(user, operation, factsOf(events))
	if err != nil {
		return nil, err
	}
	last := make(map[string]models.ID, len(stored))
	for _, s := range stored {
		last[s.Fact] = s.LastAnswerID
	}
	for _, e := range events {
		if last[e.Fact] != e.ID {
			late = append(late, e)
		}
	}
	return late, nil
}

// foldMastery folds events of one user and operation, in the order of their
// ids and just written to the log, into the facts' levels. A fact that has a
// later answer already is folded again from the log, so that the order of
// arrival does not matter.
func (u *unit) foldMastery(userID int64, operation string, events []models.AnswerEvent) error {
	stored, err := u.masteryOf(userID, operation, factsOf(events))
	if err != nil {
		return err
	}
	f := newFold(u.cfg.Rules, stored)
	for _, e := range events {
		f.add(e)
	}
	if late := f.lateFacts(); len(late) > 0 {
		log, err := u.allOfFacts(userID, operation, late)
		if err != nil {
			return err
		}
		f.again(late, log)
	}
	return u.saveMastery(f.stats())
}

// saveMastery writes levels over what is there.
func (u *unit) saveMastery(stats []models.MasteryStat) error {
	args := make([]any, 0, len(stats)*setLevels.columns)
	for _, s := range stats {
		args = append(args, levelValues(s)...)
	}
	_, err := u.put(setLevels, args)
	return err
}

// factsOf returns the facts of events, each once, in order.
func factsOf(events []models.AnswerEvent) []string {
	facts := make([]string, len(events))
	for i, e := range events {
		facts[i] = e.Fact
	}
	return distinct(facts)
}
