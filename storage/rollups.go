package storage

import (
	"context"
	"time"

	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/models"
)

// Rollups are the seed's summaries by accuracy (S50–S53).
type Rollups struct{ engine *engine }

// RollupResult says what a run did.
type RollupResult struct {
	Users    int           `json:"users"` // that had answers since the last run
	Facts    int           `json:"facts"` // summaries written
	Duration time.Duration `json:"duration_ns"`
}

// rollupBatch is how many users one transaction rolls up: other writers get
// their turn in between.
const rollupBatch = 64

// Run writes the summaries of all users with answers since the last run, a few
// users a transaction. Call it on demand or by the hour: its cost follows the
// activity, not the history. When it is stopped, what is left stays queued.
func (s *Rollups) Run(ctx context.Context) (result RollupResult, err error) {
	start := time.Now()
	for more := true; more; {
		var users, facts int
		err := s.engine.write(ctx, func(u *unit) (err error) {
			users, facts, err = u.rollUp(rollupBatch)
			return err
		})
		if err != nil {
			return result, err
		}
		result.Users += users
		result.Facts += facts
		more = users == rollupBatch
	}
	result.Duration = time.Since(start)
	return result, nil
}

// OfUser returns a user's summaries as of the last run, by operation and fact.
func (s *Rollups) OfUser(ctx context.Context, userID int64) (rollups []models.MasteryRollup, err error) {
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(rollupsOfUser, userID).Scan(&rollups).Error
	})
	return rollups, err
}

var (
	rollupQueue = declare(`
SELECT user_id FROM {rollup_queue} WHERE user_id > 0 ORDER BY user_id LIMIT CAST(? AS BIGINT)`,
		"SEARCH rollup_queue USING INTEGER PRIMARY KEY (rowid>?)")
	rollupsOfUser = declare(`
SELECT * FROM {mastery_rollups} WHERE user_id = CAST(? AS BIGINT) ORDER BY operation, fact`,
		"SEARCH mastery_rollups USING PRIMARY KEY (user_id=?)")
)

var insertRollupTasks = declareInsert(`
INSERT INTO {rollup_queue} (user_id)`, "bigint", `
ON CONFLICT DO NOTHING`)

// rollupColumns is the number of columns of mastery_rollups.
const rollupColumns = 8

// rollupTasks note that users have answers that are not rolled up.
func rollupTasks(events []models.AnswerEvent) (users []any) {
	for i, e := range events {
		if i == 0 || e.UserID != events[i-1].UserID {
			users = append(users, e.UserID)
		}
	}
	return users
}

// rollUp takes up to limit users off the queue.
func (u *unit) rollUp(limit int) (users, facts int, err error) {
	var ids []int64
	if err := u.rawLocking(rollupQueue, "FOR UPDATE SKIP LOCKED", limit).Scan(&ids).Error; err != nil {
		return 0, 0, err
	}
	if _, err := u.holdUsers(ids); err != nil {
		return 0, 0, err
	}
	for _, id := range ids {
		n, err := u.rollUpUser(id)
		if err != nil {
			return 0, 0, err
		}
		facts += n
	}
	if len(ids) == 0 {
		return 0, 0, nil
	}
	return len(ids), facts, u.table(models.RollupTask{}).Where("user_id IN ?", ids).Delete(&models.RollupTask{}).Error
}

// rollUpUser writes a user's summaries. The sums are kept with the levels
// already, so that the log need not be read.
func (u *unit) rollUpUser(userID int64) (int, error) {
	var stats []models.MasteryStat
	if err := u.raw(masteryOfUser, userID).Scan(&stats).Error; err != nil {
		return 0, err
	}
	rollups := make([]models.MasteryRollup, 0, len(stats))
	for _, s := range stats {
		rollups = append(rollups, models.MasteryRollup{
			UserID: s.UserID, Operation: s.Operation, Fact: s.Fact,
			TotalAttempts: s.Attempts, CorrectCount: s.CorrectCount,
			AvgResponseTime: float64(s.TotalResponseMS) / float64(s.Attempts),
			MasteryLevel:    accuracyLevel(s.Attempts, s.CorrectCount),
			LastUpdated:     u.now,
		})
	}
	upsert := clause.OnConflict{
		Columns: []clause.Column{{Name: "user_id"}, {Name: "operation"}, {Name: "fact"}},
		DoUpdates: clause.AssignmentColumns([]string{
			"total_attempts", "correct_count", "avg_response_time", "mastery_level", "last_updated",
		}),
	}
	return len(rollups), insert(u.table(models.MasteryRollup{}).Clauses(upsert), rollups, rollupColumns)
}

// accuracyLevel is the seed's level by accuracy (S53). The seed gives 2 to a
// fact that was never answered right, which is a defect: here it is 0.
func accuracyLevel(attempts, correct int64) int64 {
	atLeast := func(number, percent int64) bool { return attempts >= number && correct*100 >= attempts*percent }
	switch {
	case correct == 0:
		return 0
	case atLeast(10, 90):
		return 5
	case atLeast(5, 80):
		return 4
	case atLeast(3, 70):
		return 3
	}
	return 2
}
