package storage

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/flashstore/flashstore/models"
)

// TestFoldProperty: however answers are cut into batches, and in whatever
// order the batches arrive, a fact's level is the one that a plain loop over
// its answers in the order of their ids gives (S31, N17).
func TestFoldProperty(t *testing.T) {
	rules := DefaultRules()
	rapid.Check(t, func(t *rapid.T) {
		rules.Mastery = rapid.SampledFrom([]MasteryRule{StepMastery, SpeedMastery}).Draw(t, "rule")
		events := drawEvents(t)
		var log, stored []models.AnswerEvent
		var stats []models.MasteryStat
		for batch := range slices.Chunk(rapid.Permutation(events).Draw(t, "arrival"), rapid.IntRange(1, 5).Draw(t, "batch")) {
			stored = append(stored, batch...)
			log = slices.SortedFunc(slices.Values(stored), func(a, b models.AnswerEvent) int { return a.ID.Compare(b.ID) })
			stats = foldBatch(&rules, stats, batch, log)
		}
		want := plainFold(&rules, events)
		got := map[string]models.MasteryStat{}
		for _, s := range stats {
			got[s.Fact] = s
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-plain loop +fold)\n%s", diff)
		}
	})
}

// drawEvents draws answers of one user to a few facts, ids ascending.
func drawEvents(t *rapid.T) []models.AnswerEvent {
	events := make([]models.AnswerEvent, rapid.IntRange(1, 30).Draw(t, "answers"))
	for i := range events {
		at := time.UnixMilli(1_790_000_000_000 + int64(i)*1000).UTC()
		events[i] = models.AnswerEvent{
			UserID: 1, ID: idAt(at, i), Operation: "addition",
			Fact:           rapid.SampledFrom([]string{"1+1", "2+2", "3+3"}).Draw(t, "fact"),
			Correct:        rapid.Bool().Draw(t, "correct"),
			ResponseTimeMS: rapid.Int64Range(0, 15_000).Draw(t, "ms"),
			CreatedAt:      at,
		}
	}
	return events
}

// foldBatch does with a batch what foldMastery does around the database.
func foldBatch(rules *Rules, stats []models.MasteryStat, batch, log []models.AnswerEvent) []models.MasteryStat {
	batch = slices.SortedFunc(slices.Values(batch), func(a, b models.AnswerEvent) int { return a.ID.Compare(b.ID) })
	f := newFold(rules, stats)
	for _, e := range batch {
		f.add(e)
	}
	late := f.lateFacts()
	var again []models.AnswerEvent
	for _, e := range log {
		if slices.Contains(late, e.Fact) {
			again = append(again, e)
		}
	}
	f.again(late, again)
	return f.stats()
}

// plainFold is the rule as domain.md words it, without any of fold's state.
func plainFold(rules *Rules, events []models.AnswerEvent) map[string]models.MasteryStat {
	stats := map[string]models.MasteryStat{}
	for _, e := range events {
		s := stats[e.Fact]
		s.UserID, s.Operation, s.Fact = e.UserID, e.Operation, e.Fact
		s.LastDelta = rules.Mastery(rules, e.Correct, e.ResponseTimeMS)
		s.MasteryLevel += s.LastDelta
		if s.MasteryLevel < 0 {
			s.MasteryLevel = 0
		}
		if s.MasteryLevel > 500 {
			s.MasteryLevel = 500
		}
		if e.Correct {
			s.CorrectCount++
		}
		s.Attempts++
		s.TotalResponseMS += e.ResponseTimeMS
		s.LastResponseTime, s.LastAnswerID, s.UpdatedAt = e.ResponseTimeMS, e.ID, e.CreatedAt
		stats[e.Fact] = s
	}
	return stats
}

// idAt makes a version-7 id of that time; n keeps ids of one time apart.
func idAt(at time.Time, n int) models.ID {
	ms := at.UnixMilli()
	id := models.NewID()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6], id[7] = 0x70|byte(n>>8)&0x0f, byte(n)
	return id
}

// TestSubmitProperty: sessions that arrive in any order, some answers ahead
// of them one by one, after a prefix that was sent before, book what their
// set says: XP, level, coins, mastery and league XP.
func TestSubmitProperty(t *testing.T) {
	_, store := openProperties(t)
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		user := must(store.Users.Create(ctx, NewUser{}))(t)
		sessions := drawSessions(t, user.ID)
		prefix := sessions[:rapid.IntRange(0, len(sessions)).Draw(t, "prefix")]
		for _, s := range slices.Concat(prefix, rapid.Permutation(sessions).Draw(t, "arrival")) {
			if rapid.Bool().Draw(t, "answers first") {
				for _, a := range s.Answers {
					must(store.Answers.Append(ctx, user.ID, SingleAnswer{Answer: a, Operation: s.Operation, SessionID: s.ID}))(t)
				}
			}
			must(store.Sessions.Submit(ctx, s))(t)
		}
		checkBooked(t, store, user.ID, sessions)
	})
}

// drawSessions draws a few sessions over some weeks, with the same facts.
func drawSessions(t *rapid.T, userID int64) []Submission {
	sessions := make([]Submission, rapid.IntRange(1, 6).Draw(t, "sessions"))
	for i := range sessions {
		start := time.UnixMilli(1_790_000_000_000 + int64(i)*3*24*3600*1000).UTC()
		s := Submission{UserID: userID, ID: idAt(start, i), Operation: "Addition", StartedAt: start, EndedAt: start.Add(time.Minute)}
		for j := range rapid.IntRange(1, 8).Draw(t, "answers") {
			at := start.Add(time.Duration(j) * time.Second)
			s.Answers = append(s.Answers, Answer{
				ID:         idAt(at, j),
				Fact:       rapid.SampledFrom([]string{"1+1", "2 + 2", "3 + 3 = ?"}).Draw(t, "fact"),
				Correct:    rapid.Bool().Draw(t, "correct"),
				ResponseMS: rapid.SampledFrom([]int64{0, 1999, 2000, 10_000, 10_001}).Draw(t, "ms"),
				At:         at,
			})
		}
		sessions[i] = s
	}
	return sessions
}

// checkBooked compares a user with what the set of their sessions says.
func checkBooked(t *rapid.T, store *Store, userID int64, sessions []Submission) {
	ctx := context.Background()
	rules := DefaultRules()
	var events []models.AnswerEvent
	var total, coins int64
	weekly := map[int64]int64{}
	for _, s := range sessions {
		var xp int64
		for _, a := range s.Answers {
			xp += rules.answerXP(a.Correct, a.ResponseMS)
			events = append(events, models.AnswerEvent{
				UserID: userID, ID: a.ID, Operation: "addition", Fact: NormalizeFact(a.Fact),
				Correct: a.Correct, ResponseTimeMS: a.ResponseMS, CreatedAt: a.At,
			})
		}
		season := must(store.Leagues.Season(ctx, s.EndedAt))(t)
		weekly[season.ID] += max(xp, 0)
		total += max(xp, 0)
		coins += max(xp, 0) / 2
	}
	user := must(store.Users.Get(ctx, userID))(t)
	want := []int64{total, total/1000 + 1, 100 + coins}
	if diff := cmp.Diff(want, []int64{user.TotalXP, user.Level, user.Coins}); diff != "" {
		t.Fatalf("XP, level, coins (-want +got)\n%s", diff)
	}
	for season, xp := range weekly {
		if got := must(store.Leagues.Rank(ctx, season, userID))(t); got.WeeklyXP != xp {
			t.Fatalf("season %d: %d XP, want %d", season, got.WeeklyXP, xp)
		}
	}
	got := map[string]models.MasteryStat{}
	for _, s := range must(store.Mastery.Operation(ctx, userID, "addition"))(t) {
		got[s.Fact] = s
	}
	if diff := cmp.Diff(plainFold(&rules, events), got); diff != "" {
		t.Fatalf("mastery (-want +got)\n%s", diff)
	}
	if answers := must(store.Answers.Recent(ctx, userID, 1000))(t); len(answers) != len(events) {
		t.Fatalf("%d answers, want %d", len(answers), len(events))
	}
}

// TestLedgerProperty: whatever is earned, bought, tried in vain and repeated,
// the ledger proves the balance, which is never below zero (N2).
func TestLedgerProperty(t *testing.T) {
	_, store := openProperties(t)
	ctx := context.Background()
	var items []models.ShopItem
	for i, price := range []int64{0, 3, 40, 90} {
		items = append(items, must(store.Shop.Put(ctx, models.ShopItem{
			Slug: fmt.Sprint("item-", i), Slot: "head", Price: price, Active: true}))(t))
	}
	rapid.Check(t, func(t *rapid.T) {
		user := must(store.Users.Create(ctx, NewUser{}))(t)
		balance := user.Coins
		ids := []models.ID{models.NewID(), models.NewID()}
		steps := rapid.SliceOfN(rapid.IntRange(0, 2*len(items)), 1, 12).Draw(t, "steps")
		for _, step := range steps {
			if step == 2*len(items) {
				receipt := must(store.Sessions.Submit(ctx, drawSessions(t, user.ID)[0]))(t)
				if !receipt.Repeated {
					balance += receipt.CoinsEarned
				}
				continue
			}
			receipt, err := store.Shop.Purchase(ctx, user.ID, items[step/2].ID, ids[step%2])
			if err == nil && !receipt.Repeated {
				balance -= receipt.PricePaid
			}
			refused := errors.Is(err, ErrConflict) || errors.Is(err, ErrAlreadyOwned) || errors.As(err, new(*InsufficientFundsError))
			if err != nil && !refused {
				t.Fatal(err)
			}
		}
		if got := must(store.Coins.Balance(ctx, user.ID))(t); got != balance || got < 0 {
			t.Fatalf("balance %d, want %d", got, balance)
		}
		if found := must(store.Coins.Reconcile(ctx, user.ID))(t); found != nil {
			t.Fatal(found)
		}
	})
}

func openProperties(t *testing.T, changes ...func(*Rules)) (*gorm.DB, *Store) {
	t.Helper()
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "p.db")), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rules := DefaultRules()
	rules.ClockSkew = -1
	for _, change := range changes {
		change(&rules)
	}
	store := New(Config{Rules: &rules})
	if err := db.Use(store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return db, store
}

// must returns a function that hands v on, or ends the test with err.
func must[T any](v T, err error) func(t interface{ Fatal(...any) }) T {
	return func(t interface{ Fatal(...any) }) T {
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestPlausibilityProperty: of sessions with answers that are plausible and
// others, in any order of arrival, some answers ahead of them, all that is
// plausible is booked and nothing else, and the rest is set aside, once.
func TestPlausibilityProperty(t *testing.T) {
	db, store := openProperties(t, func(r *Rules) {
		r.Plausibility = Plausibility{FloorMS: 1999, SessionSlack: 90 * time.Second}
	})
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		user := must(store.Users.Create(ctx, NewUser{}))(t)
		sessions := drawSessions(t, user.ID)
		booked, aside := make([]Submission, 0, len(sessions)), map[models.ID]string{}
		for i, s := range sessions {
			rest := s
			rest.Answers = nil
			for j, a := range s.Answers {
				if rapid.IntRange(0, 4).Draw(t, "where") == 0 {
					a.At = s.EndedAt.Add(91 * time.Second)
					s.Answers[j] = a
				}
				switch {
				case a.ResponseMS < 1999:
					aside[a.ID] = AsideTooFast
				case a.At.After(s.EndedAt.Add(90 * time.Second)):
					aside[a.ID] = AsideOutsideSession
				default:
					rest.Answers = append(rest.Answers, a)
				}
			}
			sessions[i] = s
			if rest.Answers != nil {
				booked = append(booked, rest)
			}
		}
		for _, s := range slices.Concat(sessions[:1], rapid.Permutation(sessions).Draw(t, "arrival")) {
			for _, a := range s.Answers {
				if aside[a.ID] != AsideOutsideSession && rapid.Bool().Draw(t, "ahead") {
					must(store.Answers.Append(ctx, user.ID, SingleAnswer{Answer: a, Operation: s.Operation, SessionID: s.ID}))(t)
				}
			}
			receipt := must(store.Sessions.Submit(ctx, s))(t)
			if receipt.TotalCount+receipt.SetAside != int64(len(s.Answers)) {
				t.Fatalf("%d booked and %d set aside of %d", receipt.TotalCount, receipt.SetAside, len(s.Answers))
			}
		}
		checkBooked(t, store, user.ID, booked)
		got := map[models.ID]string{}
		for _, row := range must(store.Answers.SetAside(ctx, user.ID, 1000))(t) {
			got[row.ID] = row.Reason
		}
		if diff := cmp.Diff(aside, got); diff != "" {
			t.Fatalf("set aside (-want +got)\n%s", diff)
		}
		if rows := must(store.Sessions.Recent(ctx, user.ID, 1000))(t); len(rows) != len(booked) {
			t.Fatalf("%d sessions, want %d", len(rows), len(booked))
		}
	})
	var both int64
	if err := db.Raw("SELECT count(*) FROM answer_events JOIN answers_set_aside USING (user_id, id)").Scan(&both).Error; err != nil || both != 0 {
		t.Fatalf("%d answers are booked and set aside: %v", both, err)
	}
}
