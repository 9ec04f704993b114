package storagetest

import (
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// plausible are rules that refuse answers of less than 200 ms, of more than
// five seconds outside their session, or of more than a day ago.
func plausible() *storage.Rules {
	rules := storage.DefaultRules()
	rules.Plausibility = storage.Plausibility{FloorMS: 200, SessionSlack: 5 * time.Second, MaxAge: 24 * time.Hour}
	return &rules
}

// setAside: what is not plausible is kept apart with its reason and brings
// nothing; sent again it stays there, and its ids are taken.
func setAside(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	fast, outside, old := answer(2, "8+7", true, 199), answer(3, "8+7", true, 900), answer(4, "8+7", true, 900)
	outside.At, old.At = lesson.Add(36*time.Second), noon.Add(-25*time.Hour)
	in := session(ada.ID, 0, answer(1, "8+7", true, 200), fast, outside, old)
	want := storage.Receipt{
		SessionID: in.ID, UserID: ada.ID, TotalCount: 1, CorrectCount: 1, AvgResponseMS: 200,
		XPEarned: 4, CoinsEarned: 2, SeasonID: thisSeason, SetAside: 3,
	}
	equal(t, "receipt", k.submit(t, in), want)
	nothing := session(ada.ID, 1, answer(60, "1+1", true, 0))
	equal(t, "receipt of nothing", k.submit(t, nothing), storage.Receipt{SessionID: nothing.ID, UserID: ada.ID, SetAside: 1})
	ahead := single(models.ID{}, answer(70, "1+1", true, 0))
	receipt, err := k.Answers.Append(t.Context(), ada.ID, ahead)
	must(t, err)
	equal(t, "receipt of one ahead", receipt, storage.AppendReceipt{SetAside: 1})

	stored, err := k.Users.Get(t.Context(), ada.ID)
	must(t, err)
	equal(t, "XP and coins", []int64{stored.TotalXP, stored.Coins}, []int64{4, 102})
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 100})
	rows, err := k.Answers.SetAside(t.Context(), ada.ID, 0)
	must(t, err)
	var reasons []string
	for _, row := range rows {
		reasons = append(reasons, row.Reason)
	}
	equal(t, "reasons, of the latest first", reasons, []string{
		storage.AsideTooFast, storage.AsideTooFast, storage.AsideTooOld, storage.AsideOutsideSession, storage.AsideTooFast,
	})
	k.stays(t, func() {
		want.Repeated = true
		equal(t, "receipt of a retry", k.submit(t, in), want)
		equal(t, "retry of nothing is known", k.submit(t, nothing).Repeated, true)
		receipt, err := k.Answers.Append(t.Context(), ada.ID, ahead, single(in.ID, in.Answers[0]), single(in.ID, fast))
		must(t, err)
		equal(t, "receipt of single ones again", receipt, storage.AppendReceipt{Repeated: 1, SetAside: 2})
		slower := nothing
		slower.Answers = []storage.Answer{answer(60, "1+1", true, 900)}
		_, err = k.Sessions.Submit(t.Context(), slower)
		mustBe(t, err, storage.ErrConflict)
		ahead.ResponseMS = 900
		_, err = k.Answers.Append(t.Context(), ada.ID, ahead)
		mustBe(t, err, storage.ErrConflict)
	})
	k.reconciled(t)
}
