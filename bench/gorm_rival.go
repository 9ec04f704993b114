package main

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// gormRival is service code over plain GORM. How the database is opened is
// what its two candidates differ in.
type gormRival struct{ db *gorm.DB }

// clampedMastery keeps a level between 0 and 5 as it adds an answer to it.
var clampedMastery = masteryUpsert("min(5, max(0, mastery_stats.mastery_level + excluded.last_delta))")

// serverMastery is the same in PostgreSQL's words.
var serverMastery = masteryUpsert("least(5, greatest(0, mastery_stats.mastery_level + excluded.last_delta))")

// masteryUpsert adds an answer to a fact that is there.
func masteryUpsert(level string) clause.OnConflict {
	return clause.OnConflict{
		Columns: []clause.Column{{Name: "user_id"}, {Name: "operation"}, {Name: "fact"}},
		DoUpdates: clause.Assignments(map[string]any{
			"mastery_level":      gorm.Expr(level),
			"last_delta":         gorm.Expr("excluded.last_delta"),
			"last_answer_id":     gorm.Expr("excluded.last_answer_id"),
			"attempts":           gorm.Expr("mastery_stats.attempts + 1"),
			"correct_count":      gorm.Expr("mastery_stats.correct_count + excluded.correct_count"),
			"total_response_ms":  gorm.Expr("mastery_stats.total_response_ms + excluded.total_response_ms"),
			"last_response_time": gorm.Expr("excluded.last_response_time"),
			"updated_at":         gorm.Expr("excluded.updated_at"),
		}),
	}
}

// addedXP adds to a participant that is there.
var addedXP = clause.OnConflict{
	Columns: []clause.Column{{Name: "user_id"}, {Name: "season_id"}},
	DoUpdates: clause.Assignments(map[string]any{
		"weekly_xp":  gorm.Expr("league_participants.weekly_xp + excluded.weekly_xp"),
		"reached_at": gorm.Expr("max(league_participants.reached_at, excluded.reached_at)"),
	}),
}

// createAnswer writes an answer and its mastery.
func createAnswer(tx *gorm.DB, a *Answer, session models.ID) error {
	event := models.AnswerEvent{
		UserID: a.UserID, ID: a.ID, SessionID: session, Operation: a.Operation, Fact: a.Fact,
		Correct: a.Correct, ResponseTimeMS: a.ResponseMS, CreatedAt: a.At,
	}
	if err := tx.Create(&event).Error; err != nil {
		return err
	}
	delta := -models.LevelStep
	var correct int64
	if a.Correct {
		delta, correct = models.LevelStep, 1
	}
	stat := models.MasteryStat{
		UserID: a.UserID, Operation: a.Operation, Fact: a.Fact, MasteryLevel: models.LevelMin.Add(delta), LastDelta: delta,
		LastAnswerID: a.ID, Attempts: 1, CorrectCount: correct, TotalResponseMS: a.ResponseMS,
		LastResponseTime: a.ResponseMS, UpdatedAt: a.At,
	}
	upsert := clampedMastery
	if tx.Name() == "postgres" {
		upsert = serverMastery
	}
	return tx.Clauses(upsert).Create(&stat).Error
}

func (g *gormRival) Answer(ctx context.Context, a *Answer) error {
	return g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return createAnswer(tx, a, models.ID{}) })
}

func (g *gormRival) Session(ctx context.Context, s *Session) error {
	return g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return createSession(tx, s) })
}

func createSession(tx *gorm.DB, s *Session) error {
	var user models.User
	if err := tx.First(&user, s.UserID).Error; err != nil {
		return err
	}
	err := tx.Clauses(addedXP).Create(&models.LeagueParticipant{
		SeasonID: s.SeasonID, LeagueID: user.LeagueID, UserID: user.ID, WeeklyXP: s.XP, ReachedAt: s.EndedAt,
	}).Error
	if err != nil {
		return err
	}
	err = tx.Create(&models.Session{
		UserID: s.UserID, ID: s.ID, Operation: s.Operation, StartedAt: s.StartedAt, EndedAt: s.EndedAt,
		TotalCount: int64(len(s.Answers)), CorrectCount: s.Correct, AvgResponseMS: s.AvgMS,
		XPEarned: s.XP, CoinsEarned: s.Coins, SeasonID: s.SeasonID, PayloadHash: s.Hash, CreatedAt: s.ID.Time(),
	}).Error
	if err != nil {
		return err
	}
	for i := range s.Answers {
		if err := createAnswer(tx, &s.Answers[i], s.ID); err != nil {
			return err
		}
	}
	if s.Coins > 0 {
		if err := changeCoins(tx, &user, s.ID, s.Coins, storage.ReasonSession, s.ID.String()); err != nil {
			return err
		}
	}
	return rewardLearner(tx, &user, s)
}

func rewardLearner(tx *gorm.DB, user *models.User, s *Session) error {
	user.TotalXP += s.XP
	user.Level = user.TotalXP/storage.DefaultRules().XPPerLevel + 1
	user.UpdatedAt = time.Now().UTC()
	if s.EndedAt.After(user.LastActiveAt) {
		user.LastActiveAt = s.EndedAt
	}
	if err := tx.Save(user).Error; err != nil {
		return err
	}
	return queueUser(tx, user.ID)
}

// queueUser notes a user for the next rollup.
func queueUser(tx *gorm.DB, userID int64) error {
	return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&models.RollupTask{UserID: userID}).Error
}

// changeCoins writes the ledger's next entry; the caller saves the user.
func changeCoins(tx *gorm.DB, user *models.User, id models.ID, delta int64, reason, reference string) error {
	var last models.CoinEntry
	if err := tx.Where("user_id = ?", user.ID).Order("seq DESC").Limit(1).Find(&last).Error; err != nil {
		return err
	}
	user.Coins += delta
	return tx.Create(&models.CoinEntry{
		UserID: user.ID, Seq: last.Seq + 1, EntryID: id, Delta: delta, BalanceAfter: user.Coins,
		Reason: reason, Reference: reference, CreatedAt: time.Now().UTC(),
	}).Error
}

func (g *gormRival) Purchase(ctx context.Context, p *Purchase) error {
	return g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var user models.User
		if err := tx.First(&user, p.UserID).Error; err != nil {
			return err
		}
		var item models.ShopItem
		if err := tx.Where("active = ?", true).First(&item, p.ItemID).Error; err != nil {
			return err
		}
		if user.Coins < item.Price {
			return errFunds
		}
		if err := changeCoins(tx, &user, p.ID, -item.Price, storage.ReasonPurchase, item.Slug); err != nil {
			return err
		}
		user.UpdatedAt = p.At
		if err := tx.Model(&user).Select("coins", "updated_at").Updates(&user).Error; err != nil {
			return err
		}
		return tx.Create(&models.InventoryItem{
			UserID: user.ID, ItemID: item.ID, PricePaid: item.Price, PurchaseID: p.ID, AcquiredAt: p.At,
		}).Error
	})
}

func (g *gormRival) Recent(ctx context.Context, userID int64, limit int) (answers []models.AnswerEvent, err error) {
	err = g.db.WithContext(ctx).Where("user_id = ?", userID).Order("id DESC").Limit(limit).Find(&answers).Error
	return answers, err
}

func (g *gormRival) Board(ctx context.Context, seasonID, leagueID int64, limit int) (board []storage.Standing, err error) {
	err = g.db.WithContext(ctx).Raw(texts[topOfBoard], seasonID, leagueID, limit).Scan(&board).Error
	for i := range board {
		board[i].Rank = int64(i) + 1
	}
	return board, err
}

// rankedStanding reads the rank beside the place.
type rankedStanding struct {
	storage.Standing
	Place int64 `gorm:"column:place"`
}

func (g *gormRival) Rank(ctx context.Context, seasonID, userID int64) (storage.Standing, error) {
	var row rankedStanding
	err := g.db.WithContext(ctx).Raw(texts[rankOfUser], userID, seasonID).Scan(&row).Error
	row.Rank = row.Place
	return row.Standing, err
}

func (g *gormRival) Close() error {
	pool, err := g.db.DB()
	return errors.Join(err, pool.Close())
}
