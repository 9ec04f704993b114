package storagetest

import (
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// masteryFromLog: levels are what the log makes them, which can be shown, and
// restored where another program has changed them.
func masteryFromLog(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	k.submit(t, session(ada.ID, 0,
		answer(1, "8+7", true, 100), answer(2, "8+7", true, 100), answer(3, "8+7", false, 100),
		answer(4, "1+1", true, 100), answer(5, "2+2", false, 100)))
	k.stays(t, func() {
		differ(t, k, ada.ID)
		for _, damage := range []string{
			"UPDATE mastery_stats SET mastery_level = 5 WHERE fact = '8+7'",
			"DELETE FROM mastery_stats WHERE fact = '1+1'",
			"UPDATE mastery_stats SET fact = '9+9' WHERE fact = '2+2'",
		} {
			must(t, k.db.Exec(damage).Error)
		}
		differ(t, k, ada.ID,
			storage.DifferenceMissing, storage.DifferenceMissing, storage.DifferenceDifferent, storage.DifferenceSurplus)
		healthy(t, k, storage.Health{Users: 1, Levels: 4})
		result, err := k.Mastery.Rebuild(t.Context(), ada.ID)
		must(t, err)
		equal(t, "what was rebuilt", result, storage.RebuildResult{Users: 1, Added: 2, Changed: 1, Removed: 1})
		differ(t, k, ada.ID)
		healthy(t, k, storage.Health{Users: 1})
	})
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 100, "1+1": 100, "2+2": 0})
}

// healthy fails unless the store's doctor counts this.
func healthy(t *testing.T, k kit, want storage.Health) {
	t.Helper()
	got, err := k.Doctor(t.Context())
	must(t, err)
	equal(t, "health", got, want)
}

// differ fails unless the levels of a user differ from the log in these ways,
// in the order of the facts.
func differ(t *testing.T, k kit, userID int64, want ...storage.DifferenceKind) {
	t.Helper()
	differences, err := k.Mastery.Verify(t.Context(), userID)
	must(t, err)
	var got []storage.DifferenceKind
	for _, d := range differences {
		got = append(got, d.Kind)
	}
	equal(t, "differences", got, want)
}

// masteryAsOf: the past is what the log was up to then.
func masteryAsOf(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	k.submit(t, session(ada.ID, 0,
		answer(1, "8+7", true, 100), answer(2, "8+7", true, 100), answer(3, "8+7", false, 100), answer(3, "8+7", false, 100)))
	for second, want := range []models.Level{0, 100, 200, 100} {
		stats, err := k.Mastery.AsOf(t.Context(), ada.ID, "addition", lesson.Add(time.Duration(second)*time.Second))
		must(t, err)
		if second == 0 {
			equal(t, "facts before the first answer", len(stats), 0)
			continue
		}
		equal(t, "level then", stats[0].MasteryLevel, want)
		equal(t, "attempts until then", stats[0].Attempts, int64(second))
	}
	fact, err := k.Mastery.Fact(t.Context(), ada.ID, "addition", "8 + 7 = ?")
	must(t, err)
	now, err := k.Mastery.AsOf(t.Context(), ada.ID, "addition", noon)
	must(t, err)
	equal(t, "the present", now, []models.MasteryStat{fact})
}
