package storage

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flashstore/flashstore/models"
)

// Search returns up to limit users whose uid or e-mail begins with prefix:
// first those by uid, in its order, then those by e-mail, in its order, each
// once (S43). A uid is compared as it is, an e-mail in any case. Names are not
// searched: no index has them. By default, with a limit of 0, 50; at the most
// 1000.
func (s *Users) Search(ctx context.Context, prefix string, limit int) (users []models.User, err error) {
	if limit, err = pageSize("limit", limit); err != nil {
		return nil, err
	}
	byUID, err := rangeOf(strings.TrimLeftFunc(prefix, unicode.IsSpace))
	if err != nil {
		return nil, err
	}
	byEmail, err := rangeOf(normalizeEmail(prefix))
	if err != nil {
		return nil, err
	}
	err = s.engine.snapshot(ctx, func(u *unit) error {
		users, err = u.searchUsers(byUID, byEmail, limit)
		return err
	})
	return users, err
}

// Search returns up to limit items whose slug begins with prefix, for sale or
// not, in the order of their slugs. Names are not searched: no index has them.
// By default, with a limit of 0, 50; at the most 1000.
func (s *Shop) Search(ctx context.Context, prefix string, limit int) (items []models.ShopItem, err error) {
	if limit, err = pageSize("limit", limit); err != nil {
		return nil, err
	}
	slugs, err := rangeOf(strings.TrimLeftFunc(prefix, unicode.IsSpace))
	if err != nil {
		return nil, err
	}
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(itemsBySlug, slugs.from, slugs.to, limit).Scan(&items).Error
	})
	return items, err
}

// A prefix is searched as a range, for which both engines use a plain index.
var (
	usersByUID = declare(`
SELECT * FROM {users} WHERE uid >= CAST(? AS TEXT) AND uid < CAST(? AS TEXT)
ORDER BY uid LIMIT CAST(? AS BIGINT)`,
		"SEARCH users USING INDEX idx_users_uid (uid>? AND uid<?)")
	usersByEmail = declare(`
SELECT * FROM {users} WHERE email >= CAST(? AS TEXT) AND email < CAST(? AS TEXT)
ORDER BY email LIMIT CAST(? AS BIGINT)`,
		"SEARCH users USING INDEX idx_users_email (email>? AND email<?)")
	itemsBySlug = declare(`
SELECT * FROM {shop_items} WHERE slug >= CAST(? AS TEXT) AND slug < CAST(? AS TEXT)
ORDER BY slug LIMIT CAST(? AS BIGINT)`,
		"SEARCH shop_items USING INDEX idx_shop_items_slug (slug>? AND slug<?)")
)

// searchUsers gathers users by uid and then by e-mail.
func (u *unit) searchUsers(byUID, byEmail textRange, limit int) (users []models.User, err error) {
	if err := u.raw(usersByUID, byUID.from, byUID.to, limit).Scan(&users).Error; err != nil || len(users) == limit {
		return users, err
	}
	// Those who were found already may be among the first by e-mail.
	var more []models.User
	if err := u.raw(usersByEmail, byEmail.from, byEmail.to, limit).Scan(&more).Error; err != nil {
		return nil, err
	}
	known := make(map[int64]bool, len(users))
	for _, user := range users {
		known[user.ID] = true
	}
	for _, user := range more {
		if !known[user.ID] && len(users) < limit {
			users = append(users, user)
		}
	}
	return users, nil
}

// textRange is all text from one to just before another, by its bytes.
type textRange struct{ from, to string }

// rangeOf returns the range of the text that begins with prefix. UTF-8 sorts by
// its bytes as by its characters, so that the end is the prefix with its last
// character replaced by the next one, which is text again.
func rangeOf(prefix string) (textRange, error) {
	if prefix == "" {
		return textRange{}, invalid("prefix", "is empty")
	}
	if err := checkText("prefix", prefix); err != nil {
		return textRange{}, err
	}
	for begin := prefix; begin != ""; {
		last, size := utf8.DecodeLastRuneInString(begin)
		begin = begin[:len(begin)-size]
		if last < utf8.MaxRune {
			return textRange{prefix, begin + string(nextRune(last))}, nil
		}
	}
	return textRange{}, invalid("prefix", "is %q, behind which there is no text", prefix)
}

// nextRune returns the character behind r, past the surrogates, which UTF-8
// has not.
func nextRune(r rune) rune {
	if r == 0xD7FF {
		return 0xE000
	}
	return r + 1
}
