package storage

import (
	"context"

	"github.com/flashstore/flashstore/models"
)

// SetAside returns up to limit answers of a user that were set aside, each with
// its reason, the latest first by their ids. A limit of 0 means 50; the most is
// 1000.
func (s *Answers) SetAside(ctx context.Context, userID int64, limit int) (answers []models.SetAsideAnswer, err error) {
	limit, err = pageSize("limit", limit)
	if err != nil {
		return nil, err
	}
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(recentSetAside, userID, limit).Scan(&answers).Error
	})
	return answers, err
}

// CountSetAside returns how many answers of all users were set aside, by their
// reasons. It reads all of them: it is for operators.
func (s *Answers) CountSetAside(ctx context.Context) (counts map[string]int64, err error) {
	var rows []struct {
		Reason  string
		Answers int64
	}
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(countSetAside).Scan(&rows).Error
	})
	if err != nil {
		return nil, err
	}
	counts = make(map[string]int64, len(rows))
	for _, row := range rows {
		counts[row.Reason] = row.Answers
	}
	return counts, nil
}

var (
	recentSetAside = declare(`
SELECT * FROM {answers_set_aside} WHERE user_id = CAST(? AS BIGINT) ORDER BY id DESC LIMIT CAST(? AS BIGINT)`,
		"SEARCH answers_set_aside USING PRIMARY KEY (user_id=?)")
	setAsideByID = declare(`SELECT * FROM {answers_set_aside} WHERE id IN ?`,
		"SEARCH answers_set_aside USING INDEX idx_answers_set_aside_id (id=?)")
	emptiedByID = declare(`SELECT * FROM {answers_set_aside} WHERE session_id IN ? AND payload_hash IS NOT NULL`,
		"SEARCH answers_set_aside USING INDEX idx_answers_set_aside_session (session_id=?)")
	anySetAside = declare(`SELECT user_id FROM {answers_set_aside} WHERE user_id > 0 LIMIT 1`,
		"SEARCH answers_set_aside USING PRIMARY KEY (user_id>?)")
	countSetAside = declare(`SELECT reason, count(*) AS answers FROM {answers_set_aside} GROUP BY reason`,
		"SCAN answers_set_aside", "USE TEMP B-TREE FOR GROUP BY").
		because("an operator asks for all of them, and there are few reasons")
)

// insertAside writes answers that are set aside. Of one that is there its
// session may come later.
var insertAside = declareInsert(`
INSERT INTO {answers_set_aside}
  (`+answerColumns+`, reason, set_aside_at, payload_hash)`,
	answerTypes+", text, bigint, bytea", `
ON CONFLICT (user_id, id) DO UPDATE SET payload_hash = excluded.payload_hash`)
