package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/models"
)

// Users are the learners.
type Users struct{ engine *engine }

// NewUser is what Create takes.
type NewUser struct {
	// UID is any text by which the application knows the user. By default,
	// a new UUID of version 7.
	UID string
	// Email is stored trimmed and in lower case. By default, none.
	Email string
	// Name is what others see. By default, nothing.
	Name string
}

// UserUpdate says what to change: a nil field stays as it is.
type UserUpdate struct {
	Email *string // "" removes the e-mail
	Name  *string

	// IfVersion is the models.User.Version that the change is based on: if the
	// user has another one by now, it is refused. By default, nil: the version
	// does not matter. See storage.IfVersion.
	IfVersion *int64
}

func (c UserUpdate) conditions() []Condition {
	if c.IfVersion == nil {
		return nil
	}
	return []Condition{IfVersion(*c.IfVersion)}
}

// Create stores a new user at level 1, in the lowest league, with the coins
// to start with and their ledger entry. It returns ErrTaken when another user
// has the uid or the e-mail. It is not repeatable: called again, it finds the
// uid taken, or without a uid stores another user. Ensure is repeatable.
func (s *Users) Create(ctx context.Context, in NewUser) (user models.User, err error) {
	err = s.engine.write(ctx, func(u *unit) error {
		user, err = u.createUser(in)
		return err
	})
	return user, err
}

// Ensure returns the user with the uid of in, and creates it if there is none
// yet. An existing user is returned as it is, whatever else in says.
func (s *Users) Ensure(ctx context.Context, in NewUser) (user models.User, err error) {
	if strings.TrimSpace(in.UID) == "" {
		return user, invalid("uid", "is empty")
	}
	user, err = s.ByUID(ctx, in.UID) // most are there: no need to wait for the writer
	if !errors.Is(err, ErrNotFound) {
		return user, err
	}
	err = s.engine.write(ctx, func(u *unit) error {
		found, err := u.findUser(userByUID, strings.TrimSpace(in.UID))
		if err != nil || found != nil {
			user = deref(found)
			return err
		}
		user, err = u.createUser(in)
		if errors.Is(err, ErrTaken) && u.locksRows { // by another process, at this moment
			if found, look := u.findUser(userByUID, strings.TrimSpace(in.UID)); look != nil || found != nil {
				user, err = deref(found), look
			}
		}
		return err
	})
	return user, err
}

// Get returns the user of that id, or ErrNotFound.
func (s *Users) Get(ctx context.Context, id int64) (models.User, error) {
	return s.one(ctx, userByID, id)
}

// ByUID returns the user whom the application knows by uid, or ErrNotFound.
func (s *Users) ByUID(ctx context.Context, uid string) (models.User, error) {
	return s.one(ctx, userByUID, strings.TrimSpace(uid))
}

// ByEmail returns the user with that e-mail in any case, or ErrNotFound.
func (s *Users) ByEmail(ctx context.Context, email string) (models.User, error) {
	return s.one(ctx, userByEmail, normalizeEmail(email))
}

// Update changes a user and returns it as it is afterwards, with the next
// version if anything is different. It returns ErrNotFound, ErrTaken when
// another user has the e-mail, or a *VersionError; then nothing has changed.
//
// It is repeatable without IfVersion. With it, a call that is repeated because
// its answer was lost meets its own change: the *VersionError says to read
// again, and what is read then has the change.
func (s *Users) Update(ctx context.Context, id int64, change UserUpdate) (user models.User, err error) {
	err = s.engine.write(ctx, func(u *unit) error {
		user, err = u.updateUser(id, change)
		return err
	})
	return user, err
}

// List returns up to limit users with ids greater than after, in the order of
// their ids: pass the last id of a page for the next one. A limit of 0 means
// 50; the most is 1000.
func (s *Users) List(ctx context.Context, after int64, limit int) (users []models.User, err error) {
	limit, err = pageSize("limit", limit)
	if err != nil {
		return nil, err
	}
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(usersAfter, after, limit).Scan(&users).Error
	})
	return users, err
}

func (s *Users) one(ctx context.Context, q *query, key any) (user models.User, err error) {
	err = s.engine.read(ctx, func(u *unit) error {
		user, err = u.user(q, key)
		return err
	})
	return user, err
}

var (
	userByID = declare(`SELECT * FROM {users} WHERE id = ?`,
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)")
	usersByID = declare(`SELECT * FROM {users} WHERE id IN ? ORDER BY id`,
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)")
	userByUID = declare(`SELECT * FROM {users} WHERE uid = ?`,
		"SEARCH users USING INDEX idx_users_uid (uid=?)")
	userByEmail = declare(`SELECT * FROM {users} WHERE email = ?`,
		"SEARCH users USING INDEX idx_users_email (email=?)")
	usersAfter = declare(`SELECT * FROM {users} WHERE id > CAST(? AS BIGINT) ORDER BY id LIMIT CAST(? AS BIGINT)`,
		"SEARCH users USING INTEGER PRIMARY KEY (rowid>?)")
)

// findUser returns a user, or nil where there is none.
func (u *unit) findUser(q *query, key any) (*models.User, error) {
	return first[models.User](u.raw(q, key))
}

// user returns a user, or ErrNotFound.
func (u *unit) user(q *query, key any) (models.User, error) {
	user, err := u.findUser(q, key)
	if err == nil && user == nil {
		err = fmt.Errorf("user %v: %w", key, ErrNotFound)
	}
	return deref(user), err
}

// lockUser returns a user whom nobody else changes until the transaction's
// end: SQLite's writer is alone, PostgreSQL locks the row.
func (u *unit) lockUser(id int64) (*models.User, error) {
	user, err := first[models.User](u.rawLocking(userByID, "FOR UPDATE", id))
	if err == nil && user == nil {
		err = fmt.Errorf("user %d: %w", id, ErrNotFound)
	}
	return user, err
}

// lockUsers is lockUser for several, in the order of their ids. Those who do
// not exist are left out.
func (u *unit) lockUsers(ids []int64) ([]models.User, error) {
	return find[models.User](distinct(ids), func(part []int64) *gorm.DB {
		return u.rawLocking(usersByID, "FOR UPDATE", part)
	})
}

// userColumns is the number of columns of users.
const userColumns = 12

// saveUsers writes the named columns of locked users, of many in one statement.
func (u *unit) saveUsers(users []models.User, columns ...string) error {
	stored := clause.OnConflict{
		Columns:   []clause.Column{{Name: "id"}},
		DoUpdates: clause.AssignmentColumns(columns),
	}
	return insert(u.table(models.User{}).Clauses(stored), users, userColumns)
}

func (u *unit) createUser(in NewUser) (models.User, error) {
	if err := cmp.Or(checkText("uid", in.UID), checkText("email", in.Email), checkText("name", in.Name)); err != nil {
		return models.User{}, err
	}
	user := models.User{
		UID: strings.TrimSpace(in.UID), Email: normalizeEmail(in.Email), Name: strings.TrimSpace(in.Name),
		Level: u.cfg.Rules.level(0), LeagueID: lowestLeague, Version: 1,
		CreatedAt: u.now, UpdatedAt: u.now, LastActiveAt: u.now,
	}
	if user.UID == "" {
		user.UID = models.NewID().String()
	}
	if err := u.checkNew(user); err != nil {
		return models.User{}, err
	}
	created := u.table(user).Clauses(clause.OnConflict{DoNothing: true}).Create(&user)
	if created.Error != nil {
		return models.User{}, created.Error
	}
	if created.RowsAffected == 0 { // another process was first, at this moment
		return models.User{}, cmp.Or(u.checkNew(user), error(errLost))
	}
	welcome := entry{id: models.NewID(), delta: u.cfg.Rules.StartCoins, reason: ReasonWelcome}
	if err := u.credit(&user, welcome); err != nil {
		return models.User{}, err
	}
	return user, u.saveUser(&user, "coins")
}

func (u *unit) updateUser(id int64, change UserUpdate) (models.User, error) {
	user, err := u.lockUserIf(id, change.conditions())
	if err != nil {
		return models.User{}, err
	}
	email, name := user.Email, user.Name
	if change.Email != nil {
		email = normalizeEmail(*change.Email)
	}
	if change.Name != nil {
		name = strings.TrimSpace(*change.Name)
	}
	if err := cmp.Or(checkText("email", deref(change.Email)), checkText("name", name)); err != nil {
		return models.User{}, err
	}
	if err := u.checkFree(userByEmail, email, id); err != nil {
		return models.User{}, fmt.Errorf("e-mail %q: %w", email, err)
	}
	if email != user.Email || name != user.Name {
		user.Version++
	}
	user.Email, user.Name, user.UpdatedAt = email, name, u.now
	err = u.saveUser(user, "email", "name", "version", "updated_at")
	if isUniqueViolated(err) { // another process was first, at this moment
		err = fmt.Errorf("e-mail %q: %w", email, ErrTaken)
	}
	return *user, err
}

// checkNew returns ErrTaken when another user has the uid or the e-mail.
func (u *unit) checkNew(user models.User) error {
	if err := u.checkFree(userByUID, user.UID, 0); err != nil {
		return fmt.Errorf("uid %q: %w", user.UID, err)
	}
	if err := u.checkFree(userByEmail, user.Email, 0); err != nil {
		return fmt.Errorf("e-mail %q: %w", user.Email, err)
	}
	return nil
}

// checkFree returns ErrTaken when a user other than self has the key.
func (u *unit) checkFree(q *query, key string, self int64) error {
	if key == "" {
		return nil
	}
	user, err := u.findUser(q, key)
	if err == nil && user != nil && user.ID != self {
		err = ErrTaken
	}
	return err
}

// saveUser writes the named columns of user.
func (u *unit) saveUser(user *models.User, columns ...string) error {
	return u.table(user).Model(user).Select(columns).Updates(user).Error
}

func normalizeEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
