package models_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

func emailless(tb testing.TB, db *gorm.DB) (n int64) {
	tb.Helper()
	must(tb, db.Raw("SELECT count(*) FROM users WHERE email IS NULL").Scan(&n).Error)
	return n
}

// "" in the model is NULL in the column, so that the unique index lets any
// number of users have no e-mail.
func TestUsersWithoutEmail(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		for _, uid := range []string{"ada", "bob"} {
			user := newUser(uid)
			user.Email = ""
			must(t, db.Create(&user).Error)
		}
		if n := emailless(t, db); n != 2 {
			t.Errorf("%d users have NULL for their e-mail, want 2", n)
		}
		// What is read is set, whatever was in the field before.
		ada := models.User{Email: "of another row"}
		must(t, db.Take(&ada, "uid = ?", "ada").Error)
		if ada.Email != "" {
			t.Errorf("NULL is read as %q", ada.Email)
		}
	})
}

func TestEmailComesAndGoes(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		user := newUser("ada")
		must(t, db.Create(&user).Error)
		for _, email := range []string{"", "new@example.org", ""} {
			user.Email = email
			must(t, db.Model(&user).Select("email").Updates(&user).Error)
			var got models.User
			must(t, db.Take(&got, user.ID).Error)
			if got.Email != email {
				t.Errorf("%q is read as %q", email, got.Email)
			}
			if n := emailless(t, db); (n == 1) != (email == "") {
				t.Errorf("%d users have NULL for %q", n, email)
			}
		}
	})
}

func TestEmailTwice(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		first, second := newUser("ada"), newUser("bob")
		second.Email = first.Email
		must(t, db.Create(&first).Error)
		if err := db.Create(&second).Error; err == nil {
			t.Error("two users have the same e-mail")
		}
	})
}

func TestEmailOfAnotherType(t *testing.T) {
	type person struct {
		ID    int64
		Email string `gorm:"serializer:flashstore_nullable"`
	}
	db := newFile(t)
	must(t, db.Exec("CREATE TABLE people (id INTEGER PRIMARY KEY, email)").Error)
	must(t, db.Exec("INSERT INTO people (email) VALUES (7), ('ada'), (x'616461'), (NULL)").Error)
	var got person
	if err := db.Take(&got, 1).Error; err == nil || !strings.Contains(err.Error(), "email") {
		t.Errorf("7 is read as %q (%v), want an error that names the column", got.Email, err)
	}
	for id, want := range map[int64]string{2: "ada", 3: "ada", 4: ""} {
		var got person
		must(t, db.Take(&got, id).Error)
		if got.Email != want {
			t.Errorf("row %d is read as %q, want %q", id, got.Email, want)
		}
	}
}
