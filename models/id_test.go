package models_test

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/flashstore/flashstore/models"
)

var _ sql.Scanner = (*models.ID)(nil)

// idAt returns an ID of version 7 of that millisecond.
func idAt(ms int64, random []byte) (id models.ID) {
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	copy(id[6:], random)
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// anyID draws IDs of version 7 from 1970 to the year 10889. Some share their
// time.
func anyID() *rapid.Generator[models.ID] {
	return rapid.Custom(func(t *rapid.T) models.ID {
		ms := rapid.OneOf(rapid.Int64Range(0, 1<<48-1), rapid.Int64Range(1e12, 1e12+2)).Draw(t, "ms")
		return idAt(ms, rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "random"))
	})
}

func TestNewID(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	last := models.ID{}
	for range 1000 {
		id := models.NewID()
		if id.Version() != 7 || id.IsZero() {
			t.Fatalf("%v is of version %d", id, id.Version())
		}
		if id.Compare(last) <= 0 {
			t.Fatalf("%v was made after %v and sorts before it", id, last)
		}
		if at := id.Time(); at.Before(before) || at.After(time.Now()) || at.Location() != time.UTC {
			t.Fatalf("%v carries the time %v", id, at)
		}
		last = id
	}
}

func TestIDTime(t *testing.T) {
	for _, at := range []time.Time{time.UnixMilli(0), noon, time.UnixMilli(1<<48 - 1)} {
		if got := idAt(at.UnixMilli(), nil).Time(); !got.Equal(at) {
			t.Errorf("the time of an ID made at %v is %v", at, got)
		}
	}
}

func TestIDOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyID().Draw(t, "a"), anyID().Draw(t, "b")
		if got, want := a.Compare(b), bytes.Compare(a[:], b[:]); got != want {
			t.Errorf("Compare is %d, of the bytes %d", got, want)
		}
		if byTime := a.Time().Compare(b.Time()); byTime != 0 && a.Compare(b) != byTime {
			t.Errorf("by time %d, by bytes %d", byTime, a.Compare(b))
		}
		if byText := cmp.Compare(a.String(), b.String()); a.Compare(b) != byText {
			t.Errorf("by text %d, by bytes %d", byText, a.Compare(b))
		}
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Errorf("Compare is no order")
		}
	})
}

func TestIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := anyID().Draw(t, "id")
		if id.String() != uuid.UUID(id).String() || id.Version() != 7 {
			t.Errorf("%v of version %d is not the UUID %v", id, id.Version(), uuid.UUID(id))
		}
		parsed, err := models.ParseID(id.String())
		mustBeID(t, "text", id, parsed, err)
		parsed, err = models.ParseID(strings.ToUpper(id.String()))
		mustBeID(t, "upper-case text", id, parsed, err)

		text, err := json.Marshal(map[models.ID]models.ID{id: id})
		if err != nil || string(text) != `{"`+id.String()+`":"`+id.String()+`"}` {
			t.Errorf("JSON is %s (%v)", text, err)
		}
		var back map[models.ID]models.ID
		err = json.Unmarshal(text, &back)
		mustBeID(t, "JSON", id, back[id], err)

		value, err := id.Value()
		if stored, ok := value.([]byte); err != nil || !ok || !bytes.Equal(stored, id[:]) {
			t.Errorf("the database is given %v (%v)", value, err)
		}
		var scanned models.ID
		err = scanned.Scan(value)
		mustBeID(t, "bytes", id, scanned, err)
		var scannedText models.ID
		err = scannedText.Scan(id.String())
		mustBeID(t, "text of the database", id, scannedText, err)
	})
}

func mustBeID(t *rapid.T, what string, want, got models.ID, err error) {
	t.Helper()
	if err != nil || got != want {
		t.Errorf("read from %s: %v (%v), want %v", what, got, err, want)
	}
}

func TestZeroID(t *testing.T) {
	var none models.ID
	if !none.IsZero() || idAt(0, nil).IsZero() {
		t.Error("IsZero is wrong")
	}
	if value, err := none.Value(); value != nil || err != nil {
		t.Errorf("the database is given %v (%v), want NULL", value, err)
	}
	id := models.NewID()
	must(t, id.Scan(nil))
	if !id.IsZero() {
		t.Errorf("NULL is read as %v", id)
	}
	text, err := json.Marshal(none)
	must(t, err)
	id = models.NewID()
	must(t, json.Unmarshal(text, &id))
	if !id.IsZero() {
		t.Errorf("%s is read as %v", text, id)
	}
}

func TestBadID(t *testing.T) {
	for _, value := range []any{
		"", "ada", "0195-", strings.Repeat("g", 36), []byte{}, make([]byte, 15), make([]byte, 17), int64(1), 1.5, true, noon,
	} {
		id := models.NewID()
		if err := id.Scan(value); err == nil {
			t.Errorf("%v of type %T is read as %v", value, value, id)
		}
	}
	for _, text := range []string{"", "ada", "01950000-0000-7000-8000-00000000000", "01950000-0000-7000-8000-0000000000000"} {
		if id, err := models.ParseID(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q is read as %v (%v)", text, id, err)
		}
	}
	for _, text := range []string{`""`, `"ada"`, `7`, `{}`} {
		var id models.ID
		if err := json.Unmarshal([]byte(text), &id); err == nil {
			t.Errorf("JSON %s is read as %v", text, id)
		}
	}
}

// What Scan reads is the caller's own: database/sql uses its bytes again.
func TestIDKeepsNoBytesOfTheDriver(t *testing.T) {
	want := models.NewID()
	buffer := bytes.Clone(want[:])
	var id models.ID
	must(t, id.Scan(buffer))
	clear(buffer)
	if id != want {
		t.Errorf("the ID became %v", id)
	}
}

// The database sorts ids as Compare does, and both by time.
func TestIDsInTheDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		user := newUser("ada")
		must(t, db.Create(&user).Error)
		var want []models.ID
		for i := range 300 {
			// Times around a carry from one byte to the next, in no order.
			ms := noon.UnixMilli()&^0xffff + int64(i*7919%300) - 150
			id := idAt(ms, []byte{byte(i), 0, 255 - byte(i)})
			must(t, db.Create(&models.AnswerEvent{
				UserID: user.ID, ID: id, Operation: "addition", Fact: "2+3", CreatedAt: time.UnixMilli(ms),
			}).Error)
			want = append(want, id)
		}
		slices.SortFunc(want, models.ID.Compare)
		var byID, byTime []models.AnswerEvent
		must(t, db.Order("id").Find(&byID).Error)
		must(t, db.Order("created_at, id").Find(&byTime).Error)
		if diff := gocmp.Diff(byTime, byID); diff != "" {
			t.Errorf("by time and by id (-time +id)\n%s", diff)
		}
		for i, answer := range byID {
			if answer.ID != want[i] || !answer.SessionID.IsZero() {
				t.Fatalf("row %d is %v of the session %v, want %v of none", i, answer.ID, answer.SessionID, want[i])
			}
		}
		var found models.AnswerEvent
		must(t, db.Take(&found, "id = ?", want[7]).Error)
		if found.ID != want[7] {
			t.Errorf("found %v, want %v", found.ID, want[7])
		}
	})
}

// The zero ID is NULL, and not an id of zeros.
func TestZeroIDInTheDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		user := newUser("ada")
		must(t, db.Create(&user).Error)
		answer := models.AnswerEvent{UserID: user.ID, ID: models.NewID(), Operation: "addition", Fact: "2+3", CreatedAt: noon}
		must(t, db.Create(&answer).Error)
		var n int64
		must(t, db.Model(&answer).Where("session_id IS NULL").Count(&n).Error)
		if n != 1 {
			t.Errorf("%d answers are of no session, want 1", n)
		}
		if err := db.Create(&models.AnswerEvent{UserID: user.ID, Operation: "addition", Fact: "2+3", CreatedAt: noon}).Error; err == nil {
			t.Error("an answer without an id is stored")
		}
	})
}

// Lists of ids are what a batch is looked up by.
func TestListOfIDsInTheDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		user := newUser("ada")
		must(t, db.Create(&user).Error)
		var want []models.ID
		for range 3 {
			id := models.NewID()
			must(t, db.Create(&models.AnswerEvent{UserID: user.ID, ID: id, Operation: "addition", Fact: "2+3", CreatedAt: noon}).Error)
			want = append(want, id)
		}
		var got []models.ID
		must(t, db.Model(&models.AnswerEvent{}).Where("id IN ?", want).Order("id").Pluck("id", &got).Error)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("ids (-written +found)\n%s", diff)
		}
	})
}

// pgx sends 16 bytes as a uuid where it knows the column's type. In its two
// modes that do not ask for it, an id is an error, and nothing is stored
// wrong: Value has no way to know that it is to give text.
func TestIDsNeedTheColumnsType(t *testing.T) {
	for _, mode := range []string{"simple_protocol", "exec"} {
		t.Run(mode, func(t *testing.T) {
			db := newPostgres(t, mode)
			user := newUser("ada")
			must(t, db.Create(&user).Error)
			answer := models.AnswerEvent{UserID: user.ID, ID: models.NewID(), Operation: "addition", Fact: "2+3", CreatedAt: noon}
			if err := db.Create(&answer).Error; err == nil || !strings.Contains(err.Error(), "uuid") {
				t.Errorf("got error %v: if ids work now, this mode belongs to the engines", err)
			}
		})
	}
}
