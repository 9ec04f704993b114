package storage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// state is what must not depend on the order of arrival.
type state struct {
	User     models.User
	Mastery  []models.MasteryStat
	Sessions []models.Session
	Answers  []models.AnswerEvent
	Seasons  []models.LeagueParticipant
}

// MustState returns what is booked for a user, without what names the user.
func MustState(tb testing.TB, f *fixture, id int64) (s state) {
	tb.Helper()
	s.User = MustGet(tb, f.Store, id)
	s.User.ID, s.User.UID, s.User.Name = 0, "", ""
	var err error
	s.Mastery, err = f.Mastery.Weakest(ctx, id, "", 1000)
	must(tb, err)
	s.Sessions, err = f.Sessions.Recent(ctx, id, 1000)
	must(tb, err)
	s.Answers, err = f.Answers.Recent(ctx, id, 1000)
	must(tb, err)
	must(tb, f.db.Order("season_id").Find(&s.Seasons, "user_id = ?", id).Error)
	return s
}

var unnamed = []any{models.MasteryStat{}, models.Session{}, models.AnswerEvent{}, models.LeagueParticipant{}}

// equalStates compares the states of two users who did the same.
func equalStates(tb testing.TB, got, want state) {
	tb.Helper()
	options := []cmp.Option{
		cmpopts.IgnoreFields(models.Session{}, "ID", "PayloadHash"),
		cmpopts.IgnoreFields(models.AnswerEvent{}, "SessionID"),
	}
	for _, row := range unnamed {
		options = append(options, cmpopts.IgnoreFields(row, "UserID"))
	}
	equal(tb, got, want, options...)
}

// permutations returns all orders of 0 to n-1.
func permutations(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, rest := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(rest), i, n-1))
		}
	}
	return all
}

// N17: four sessions across the bell, over the same facts, arrive in each of
// their 24 orders, each also as a retry.
func TestArrival_AnyOrder(t *testing.T) {
	rules := map[string]storage.MasteryRule{"Step": storage.StepMastery, "Speed": storage.SpeedMastery}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			f := MustOpen(t, withRules(func(r *storage.Rules) { r.Mastery = rule }))
			bell := time.Date(2026, 5, 10, 4, 0, 0, 0, time.UTC)
			week := func(userID int64) []storage.Submission {
				ends := []time.Time{bell.Add(-time.Hour), bell.Add(-time.Millisecond), bell, noon}
				answers := [][]storage.Answer{
					{right(0, "8+7", 1), right(1, "8+7", 3000), wrong(2, "1+1", 1)},
					{right(3, "8+7", 20000), right(4, "8+7", 1), right(5, "8+7", 1), right(6, "8+7", 1), right(7, "8+7", 1)},
					{wrong(8, "8+7", 1), wrong(9, "1+1", 1)},
					{right(10, "1+1", 11000), right(11, "2+2", 500), wrong(12, "8+7", 500)},
				}
				list := make([]storage.Submission, len(ends))
				for i := range list {
					list[i] = storage.Submission{
						UserID: userID, ID: idAt(ends[i].Add(-time.Minute), userID), Operation: "addition",
						StartedAt: ends[i].Add(-time.Minute), EndedAt: ends[i], Answers: answers[i],
					}
				}
				return list
			}
			var want state
			for i, order := range permutations(4) {
				user := MustUser(t, f.Store, fmt.Sprint("user ", order))
				sessions := week(user.ID)
				for _, n := range order {
					if n == 2 { // a client that sends some answers ahead
						_, err := f.Answers.Append(ctx, user.ID, singles(sessions[n].ID, sessions[n].Answers[1:]...)...)
						must(t, err)
					}
					MustSubmit(t, f.Store, sessions[n])
				}
				for _, n := range order {
					equal(t, MustSubmit(t, f.Store, sessions[n]).Repeated, true)
				}
				got := MustState(t, f, user.ID)
				if i == 0 {
					want = got
				}
				equalStates(t, got, want)
			}
			// What they all agree upon is right.
			equal(t, want.User.TotalXP, 4+17+0+3)
			equal(t, want.Seasons, []models.LeagueParticipant{
				{SeasonID: 20260503, LeagueID: 1, WeeklyXP: 21, ReachedAt: bell.Add(-time.Millisecond)},
				{SeasonID: 20260510, LeagueID: 1, WeeklyXP: 3, ReachedAt: noon},
			}, cmpopts.IgnoreFields(models.LeagueParticipant{}, "UserID"))
			MustReconcile(t, f.Store)
		})
	}
}

// reached_at is the end of the latest session that added XP, not of the one
// that arrived last, nor of one that added nothing.
func TestArrival_ReachedAt(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	reached := func() time.Time {
		standing, err := f.Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		return standing.ReachedAt
	}
	MustSubmit(t, f.Store, session(user.ID, 9, wrong(9, "1+1", 0)))
	equal(t, reached(), time.Date(2026, 5, 10, 4, 0, 0, 0, time.UTC)) // the season's start
	second := session(user.ID, 5, right(5, "1+1", 0))
	MustSubmit(t, f.Store, second)
	equal(t, reached(), second.EndedAt)
	MustSubmit(t, f.Store, session(user.ID, 1, right(1, "1+1", 0)))
	equal(t, reached(), second.EndedAt)
	MustSubmit(t, f.Store, session(user.ID, 8, wrong(8, "1+1", 0)))
	equal(t, reached(), second.EndedAt)
}

// Every order of single answers ends at the level of their own order.
func TestArrival_Answers(t *testing.T) {
	f := MustOpen(t)
	given := []storage.Answer{wrong(1, "8+7", 10), right(2, "8+7", 20), wrong(3, "8+7", 30), right(4, "8+7", 40)}
	for _, order := range permutations(len(given)) {
		user := MustUser(t, f.Store, fmt.Sprint("user ", order))
		for _, n := range order {
			MustAppend(t, f.Store, user.ID, given[n])
			MustAppend(t, f.Store, user.ID, given[n], given[order[0]])
		}
		stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "8+7")
		must(t, err)
		equal(t, stat, models.MasteryStat{
			UserID: user.ID, Operation: "addition", Fact: "8+7", MasteryLevel: 100, LastDelta: 100,
			LastAnswerID: given[3].ID, Attempts: 4, CorrectCount: 2,
			TotalResponseMS: 100, LastResponseTime: 40, UpdatedAt: given[3].At,
		})
	}
}

// Only the facts with an answer that came late are read from the log, and
// only then.
func TestArrival_LogIsReadForLateFactsOnly(t *testing.T) {
	statements := &recorder{Interface: logger.Discard}
	f := MustOpen(t, func(s *setup) { s.gorm.Logger = statements })
	user := MustUser(t, f.Store, "ada")
	logReads := func(answers ...storage.Answer) []string {
		statements.take()
		MustAppend(t, f.Store, user.ID, answers...)
		return slices.DeleteFunc(statements.take(), func(sql string) bool {
			return strings.Contains(sql, "INSERT") || !strings.Contains(sql, "answer_events") || !strings.Contains(sql, "ORDER BY")
		})
	}
	equal(t, logReads(right(5, "8+7", 0), right(6, "1+1", 0)), nil)
	equal(t, logReads(right(7, "8+7", 0), right(1, "2+2", 0)), nil)
	reads := logReads(right(2, "8+7", 0), right(9, "1+1", 0), right(3, "2+2", 0))
	equal(t, len(reads), 1)
	equal(t, strings.Contains(reads[0], "8+7"), true)
	equal(t, strings.Contains(reads[0], "1+1") || strings.Contains(reads[0], "2+2"), false)
}

// recorder is a GORM logger that keeps the statements.
type recorder struct {
	logger.Interface
	mu         sync.Mutex
	statements []string
	failures   []error
}

func (r *recorder) LogMode(logger.LogLevel) logger.Interface { return r }

func (r *recorder) Trace(_ context.Context, _ time.Time, fc func() (string, int64), err error) {
	sql, _ := fc()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, sql)
	if err != nil {
		r.failures = append(r.failures, err)
	}
}

// take returns the statements since the last take.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.statements
	r.statements = nil
	return taken
}
