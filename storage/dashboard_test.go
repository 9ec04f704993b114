package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustDashboard returns a user's dashboard.
func MustDashboard(tb testing.TB, s *storage.Store, userID int64) storage.Dashboard {
	tb.Helper()
	d, err := s.Users.Dashboard(ctx, userID)
	must(tb, err)
	return d
}

// sessionAt returns a session that began at a moment.
func sessionAt(userID int64, began time.Time, operation string, answers ...storage.Answer) storage.Submission {
	s := session(userID, 0, answers...)
	s.ID, s.Operation, s.StartedAt, s.EndedAt = idAt(began, userID), operation, began, began.Add(time.Minute)
	return s
}

// answersAt returns n answers from a moment on, one a second, of which the
// first are wrong.
func answersAt(began time.Time, n, wrong int) []storage.Answer {
	answers := make([]storage.Answer, n)
	for i := range answers {
		at := began.Add(time.Duration(i) * time.Second)
		answers[i] = storage.Answer{
			ID: idAt(at, 7), Fact: fmt.Sprintf("%d+%d", i, i), Correct: i >= wrong, ResponseMS: 3000, At: at,
		}
	}
	return answers
}

func TestUsers_Dashboard(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user, rival := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
		midnight := time.Date(2026, 5, 13, 4, 0, 0, 0, time.UTC) // of Wednesday in New York
		bell := time.Date(2026, 5, 10, 4, 0, 0, 0, time.UTC)
		for i, at := range []time.Time{
			bell.Add(-time.Millisecond), bell, midnight.Add(-time.Millisecond), midnight, lesson,
		} {
			MustSubmit(t, f.Store, sessionAt(user.ID, at, "addition", answersAt(at, 10+i, i)...))
		}
		MustSubmit(t, f.Store, sessionAt(rival.ID, lesson, "addition", answersAt(lesson, 100, 0)...))
		bonnet, hat := MustItem(t, f.Store, "bonnet", "head", 20), MustItem(t, f.Store, "hat", "head", 20)
		boots := MustItem(t, f.Store, "boots", "feet", 30)
		for i, item := range []models.ShopItem{bonnet, hat, boots} {
			MustPurchase(t, f.Store, user.ID, item.ID, idAt(noon, int64(i)))
			must(t, f.Shop.Equip(ctx, user.ID, item.ID))
		}

		got := MustDashboard(t, f.Store, user.ID)
		equal(t, got.At, noon)
		equal(t, got.User, MustGet(t, f.Store, user.ID))
		// XP of n answers, of which w are wrong: 2(n−w) − 2w.
		equal(t, got.Today, storage.Practice{
			Since: midnight, Until: midnight.AddDate(0, 0, 1), Sessions: 2, Answers: 13 + 14, Correct: 10 + 10, XP: 14 + 12,
		})
		equal(t, got.Week, storage.Practice{
			Since: bell, Until: bell.AddDate(0, 0, 7), Sessions: 4, Answers: 11 + 12 + 13 + 14, Correct: 40, XP: 18 + 16 + 14 + 12,
		})
		season, err := f.Leagues.Season(ctx, noon)
		must(t, err)
		equal(t, got.Season, season)
		standing, err := f.Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		equal(t, got.Standing, &standing)
		equal(t, standing.Rank, 2)
		recent, err := f.Sessions.Recent(ctx, user.ID, 10)
		must(t, err)
		equal(t, got.Recent, recent)
		equal(t, len(recent), 5)
		equal(t, got.Worn, []models.ShopItem{boots, hat})
		MustReconcile(t, f.Store)
	})
	t.Run("OK/NewUser", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		got := MustDashboard(t, f.Store, user.ID)
		equal(t, got, storage.Dashboard{
			At: noon, User: user, Season: got.Season,
			Today: storage.Practice{Since: got.Today.Since, Until: got.Today.Until},
			Week:  storage.Practice{Since: got.Season.StartsAt, Until: got.Season.EndsAt},
		})
		equal(t, got.Season.ID, thisSeason)
	})
	t.Run("OK/ChangesNothing", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		MustNotChange(t, f, func() { equal(t, MustDashboard(t, f.Store, user.ID), MustDashboard(t, f.Store, user.ID)) })
	})
	t.Run("OK/InATransaction", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			MustSubmit(t, f.In(tx), sessionAt(user.ID, lesson, "addition", answersAt(lesson, 3, 0)...))
			equal(t, MustDashboard(t, f.In(tx), user.ID).Week.Sessions, 2)
			equal(t, MustDashboard(t, f.Store, user.ID).Week.Sessions, 1)
			return nil
		}))
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		got, err := MustOpen(t).Users.Dashboard(ctx, 99)
		mustBe(t, err, storage.ErrNotFound)
		equal(t, got, storage.Dashboard{})
	})
	t.Run("ErrCancelled", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := f.Users.Dashboard(ended, user.ID)
		mustBe(t, err, context.Canceled)
	})
}

// On the days on which the clocks change, today has 23 or 25 hours.
func TestUsers_Dashboard_DaylightSaving(t *testing.T) {
	for now, hours := range map[string]float64{
		"2026-03-07T23:00:00-05:00": 24, "2026-03-08T12:00:00-04:00": 23, "2026-03-09T00:00:00-04:00": 24,
		"2026-11-01T00:00:00-04:00": 25, "2026-11-01T23:59:59-05:00": 25, "2026-11-02T00:00:00-05:00": 24,
	} {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		at, err := time.Parse(time.RFC3339, now)
		must(t, err)
		f.clock.Set(at)
		got := MustDashboard(t, f.Store, user.ID)
		equal(t, got.Today.Until.Sub(got.Today.Since).Hours(), hours)
		equal(t, !got.Today.Since.After(at) && got.Today.Until.After(at), true)
		equal(t, !got.Week.Since.After(got.Today.Since) && !got.Week.Until.Before(got.Today.Until), true)
	}
}

// A client's clock may be ahead: what begins with the next day, and the next
// week, is in the sums of neither this day nor this week.
func TestUsers_Dashboard_AheadOfTheBell(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	bell := time.Date(2026, 5, 17, 4, 0, 0, 0, time.UTC)
	f.clock.Set(bell.Add(-2 * time.Minute))
	for _, at := range []time.Time{bell.Add(-time.Millisecond), bell} {
		MustSubmit(t, f.Store, sessionAt(user.ID, at, "addition", answersAt(at, 2, 0)...))
	}
	got := MustDashboard(t, f.Store, user.ID)
	equal(t, []int64{got.Today.Sessions, got.Week.Sessions}, []int64{1, 1})
	equal(t, got.Today.Until, bell)
	f.clock.Set(bell)
	got = MustDashboard(t, f.Store, user.ID)
	equal(t, []int64{got.Today.Sessions, got.Week.Sessions}, []int64{1, 1})
	equal(t, got.Today.Since, bell)
}

// With every spread of levels the weakest facts are those of Weakest, and the
// summaries add up to what Operation returns.
func TestUsers_Dashboard_Mastery(t *testing.T) {
	for name, levels := range map[string]func(i int) int{ // of the i-th fact, in hundredths
		"None":      nil,
		"Few":       func(i int) int { return 100 * i },
		"AllZero":   func(int) int { return 0 },
		"AllFive":   func(int) int { return 500 },
		"Spread":    func(i int) int { return i * 37 % 501 },
		"TenBelow1": func(i int) int { return min(500, i/10*100) },
		"NineBelow": func(i int) int { return min(500, (i+1)/10*250) },
	} {
		t.Run(name, func(t *testing.T) {
			f := MustOpen(t, withRules(func(r *storage.Rules) {
				r.Mastery = func(_ *storage.Rules, _ bool, ms int64) models.Level { return models.Level(ms % 1000) }
			}))
			user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
			n := map[string]int{"None": 0, "Few": 4}[name]
			if levels != nil && n == 0 {
				n = 60
			}
			for i := range n {
				a := storage.SingleAnswer{
					Answer:    right(i, fmt.Sprint(i, "+1"), int64(1000*(i%3)+levels(i))),
					Operation: []string{"addition", "division"}[i%2],
				}
				a.Correct = i%5 != 0
				_, err := f.Answers.Append(ctx, user.ID, a)
				must(t, err)
				a.ResponseMS = 0
				_, err = f.Answers.Append(ctx, other.ID, a)
				must(t, err)
			}
			got := MustDashboard(t, f.Store, user.ID)
			want, err := f.Mastery.Weakest(ctx, user.ID, "", 10)
			must(t, err)
			equal(t, got.Weakest, want)
			var summaries []storage.OperationMastery
			for _, operation := range []string{"addition", "division"} {
				stats, err := f.Mastery.Operation(ctx, user.ID, operation)
				must(t, err)
				if len(stats) > 0 {
					summaries = append(summaries, summary(operation, stats))
				}
			}
			equal(t, got.Operations, summaries)
		})
	}
}

// summary sums up facts by hand.
func summary(operation string, stats []models.MasteryStat) storage.OperationMastery {
	s := storage.OperationMastery{Operation: operation, Facts: int64(len(stats))}
	var levels, ms int64
	for _, stat := range stats {
		s.ByLevel[stat.MasteryLevel/100]++
		levels += int64(stat.MasteryLevel)
		s.Attempts += stat.Attempts
		s.Correct += stat.CorrectCount
		ms += stat.TotalResponseMS
	}
	s.AverageLevel = models.Level((levels*2 + s.Facts) / (s.Facts * 2))
	s.AvgResponseMS = (ms*2 + s.Attempts) / (s.Attempts * 2)
	return s
}

// Ten answers or ten thousand: the same few statements, and none of the log.
func TestUsers_Dashboard_Statements(t *testing.T) {
	f := MustOpen(t)
	run := MustNote(t, f.db)
	var texts [3][]string
	for i, n := range []int{0, 10, 10000} {
		user := MustUser(t, f.Store, fmt.Sprint("user-", i))
		for left := n; left > 0; left -= 10 {
			began := lesson.Add(-time.Duration(left) * time.Minute)
			MustSubmit(t, f.Store, sessionAt(user.ID, began, "addition", answersAt(began, 10, 3)...))
		}
		run.take()
		got := MustDashboard(t, f.Store, user.ID)
		for _, s := range run.take() {
			texts[i] = append(texts[i], s.text)
		}
		equal(t, got.User.TotalXP, int64(n)/10*8)
	}
	equal(t, len(texts[0]), 9)
	equal(t, texts[1], texts[0])
	equal(t, texts[2], texts[0])
	for _, text := range texts[0] {
		if !strings.HasPrefix(text, "SELECT") || strings.Contains(text, "answer_events") {
			t.Errorf("it ran %s", text)
		}
	}
}

// Everything on a dashboard is of one moment, whoever writes meanwhile.
func TestUsers_Dashboard_OneMoment(t *testing.T) {
	f := MustOpen(t)
	second := MustOpen(t, func(s *setup) { s.path = f.path })
	user := MustUser(t, f.Store, "ada")
	must(t, errors.Join(atOnce(4, func(i int) error {
		for n := range 40 {
			if i < 2 {
				began := lesson.Add(time.Duration(-100*i-n) * time.Minute)
				_, err := []*storage.Store{f.Store, second.Store}[i].Sessions.Submit(ctx,
					sessionAt(user.ID, began, "addition", answersAt(began, 5, 0)...))
				if err != nil {
					return err
				}
				continue
			}
			d, err := f.Users.Dashboard(ctx, user.ID)
			if err != nil {
				return err
			}
			var weekly, attempts int64
			if d.Standing != nil {
				weekly = d.Standing.WeeklyXP
			}
			for _, o := range d.Operations {
				attempts += o.Attempts
			}
			if d.User.TotalXP != d.Week.XP || weekly != d.Week.XP || attempts != d.Week.Answers || d.User.Coins != 100+d.Week.XP/2 {
				return fmt.Errorf("not of one moment: total %d, week %+v, league %d, %d attempts, %d coins",
					d.User.TotalXP, d.Week, weekly, attempts, d.User.Coins)
			}
		}
		return nil
	})...))
	equal(t, MustDashboard(t, second.Store, user.ID).Week.Sessions, 80)
	MustReconcile(t, f.Store)
	MustVerify(t, f.Store)
}
