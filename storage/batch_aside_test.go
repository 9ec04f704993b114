package storage

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// What comes at the same time is set aside as if it had come one by one: each
// booking of a batch knows of those before it.
func TestBookTogether_SetAside(t *testing.T) {
	db, store := openProperties(t, func(r *Rules) {
		r.Plausibility = Plausibility{FloorMS: 200, SessionSlack: time.Second}
	})
	ctx := context.Background()
	user := must(store.Users.Create(ctx, NewUser{}))(t)
	start := time.UnixMilli(1_790_000_000_000).UTC()
	ids := make([]models.ID, 60)
	for i := range ids {
		ids[i] = idAt(start, i)
	}
	answer := func(n int, ms int64, at time.Time) Answer {
		return Answer{ID: ids[n], Fact: "1+1", Correct: true, ResponseMS: ms, At: at}
	}
	fine, fast, outside := answer(1, 900, start), answer(2, 199, start), answer(3, 900, start.Add(time.Hour))
	submit := func(n int, answers ...Answer) *job {
		return &job{In: must(store.engine.now().checkSubmission(Submission{
			UserID: user.ID, ID: ids[n], Operation: "addition", StartedAt: start, EndedAt: start, Answers: answers,
		}))(t)}
	}
	send := func(session int, answers ...Answer) *job {
		u, single := store.engine.now(), []SingleAnswer(nil)
		for _, a := range answers {
			single = append(single, SingleAnswer{Answer: a, Operation: "addition", SessionID: ids[session]})
		}
		events := must(u.singleEvents(user.ID, single))(t)
		return &job{In: booking{userID: user.ID, events: events, doubts: u.cfg.Rules.Plausibility.doubts(u.now, nil, events)}}
	}
	slower := fast
	slower.ResponseMS = 900
	ahead := answer(4, 900, start.Add(time.Hour)) // booked before its session comes
	jobs := []*job{
		send(50, fast, ahead), submit(50, fine, fast, outside, ahead), submit(50, fine, fast, outside, ahead), send(50, outside),
		submit(51, answer(5, 0, start)), submit(51, answer(5, 0, start)), // nothing remains
		send(53, answer(8, 900, start.Add(time.Hour))), submit(53, answer(8, 900, start.Add(time.Hour))), // looks for its season by itself
		send(50, slower), submit(51, answer(5, 900, start)), submit(51, answer(6, 900, start)), submit(52, fast, answer(7, 900, start)), // conflicts
	}
	if err := db.Transaction(func(tx *gorm.DB) error { return store.engine.bookTogether(tx, jobs) }); err != nil {
		t.Fatal(err)
	}
	type outcome struct {
		Booked, Repeated, SetAside int64
		Again, Conflict, Alone     bool
	}
	var got []outcome
	for _, j := range jobs {
		o := outcome{int64(j.Out.appended.Booked), int64(j.Out.appended.Repeated), int64(j.Out.appended.SetAside), j.Out.receipt.Repeated, errors.Is(j.Err, ErrConflict), errors.Is(j.Err, errBookedBefore)}
		if j.In.session != nil {
			o.Booked, o.Repeated, o.SetAside = j.Out.receipt.TotalCount, 0, j.Out.receipt.SetAside
		}
		got = append(got, o)
	}
	if diff := cmp.Diff([]outcome{
		{Booked: 1, SetAside: 1}, {Booked: 2, SetAside: 2}, {Booked: 2, SetAside: 2, Again: true}, {SetAside: 1},
		{SetAside: 1}, {SetAside: 1, Again: true},
		{Booked: 1}, {Alone: true},
		{Conflict: true}, {Conflict: true}, {Conflict: true}, {Conflict: true},
	}, got); diff != "" {
		t.Errorf("outcomes (-want +got)\n%s", diff)
	}
	reasons := map[models.ID]string{}
	for _, row := range must(store.Answers.SetAside(ctx, user.ID, 0))(t) {
		reasons[row.ID] = row.Reason
	}
	want := map[models.ID]string{fast.ID: AsideTooFast, outside.ID: AsideOutsideSession, ids[5]: AsideTooFast}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("set aside (-want +got)\n%s", diff)
	}
	if log := must(store.Answers.Recent(ctx, user.ID, 0))(t); len(log) != 3 {
		t.Errorf("%d answers are booked, want 3", len(log))
	}
}
