package transfer

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/models"
)

// kind is what a column holds, on any engine.
type kind int

const (
	integer kind = iota
	number       // a float64; PostgreSQL keeps some exactly, as numeric
	text
	blob
	id      // 16 bytes; PostgreSQL's uuid
	boolean // SQLite's 0 and 1
)

type column struct {
	name string
	kind kind
}

// table is one table of the store.
type table struct {
	name    string   // with the prefix
	columns []column // those of the key first, in its order
	keys    int      // how many they are
	traits
}

// traits are what the schema does not say of a table.
type traits struct {
	model schema.Tabler
	// Rows of it are never removed but with their user: one that the source
	// does not have was made elsewhere.
	lasting bool
	// A row of the same key with another value here is another row.
	identity []string
	// A unique column whose values move between rows, and that may be NULL in
	// the meantime.
	moves string
	// The database numbers the rows.
	numbered bool
}

// list are all tables, those that others refer to first, but for board_ranges
// and board_moves: triggers make them of the participants.
var list = []traits{
	{model: models.League{}},
	{model: models.User{}, identity: []string{"uid", "created_at"}, moves: "email", numbered: true},
	{model: models.Season{}, lasting: true},
	{model: models.Session{}, lasting: true},
	{model: models.AnswerEvent{}, lasting: true},
	{model: models.SetAsideAnswer{}, lasting: true},
	{model: models.MasteryStat{}},
	{model: models.MasteryRollup{}},
	{model: models.RollupTask{}},
	{model: models.LeagueParticipant{}},
	{model: models.SeasonResult{}, lasting: true},
	{model: models.ShopItem{}, lasting: true, identity: []string{"slug"}, numbered: true},
	{model: models.InventoryItem{}},
	{model: models.Loadout{}},
	{model: models.CoinEntry{}, lasting: true, identity: []string{"entry_id"}},
	{model: models.ArchiveHorizon{}},
}

// tables returns the list with the columns that the models have.
func tables(prefix string) ([]*table, error) {
	all := make([]*table, 0, len(list))
	for _, traits := range list {
		t, err := tableOf(traits, prefix)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func tableOf(traits traits, prefix string) (*table, error) {
	t := &table{name: prefix + traits.model.TableName(), traits: traits}
	parsed, err := schema.Parse(traits.model, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		return nil, err
	}
	names := slices.Concat(parsed.PrimaryFieldDBNames, slices.DeleteFunc(slices.Clone(parsed.DBNames), func(name string) bool {
		return slices.Contains(parsed.PrimaryFieldDBNames, name)
	}))
	t.keys = len(parsed.PrimaryFieldDBNames)
	for _, name := range names {
		kind, err := kindOf(parsed.FieldsByDBName[name])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t.name, err)
		}
		t.columns = append(t.columns, column{name, kind})
	}
	return t, nil
}

func kindOf(field *schema.Field) (kind, error) {
	if field.TagSettings["SERIALIZER"] == "flashstore_millis" {
		return integer, nil
	}
	switch reflect.Zero(field.FieldType).Interface().(type) {
	case models.ID:
		return id, nil
	case models.Level, float64:
		return number, nil
	case int64:
		return integer, nil
	case string:
		return text, nil
	case []byte:
		return blob, nil
	case bool:
		return boolean, nil
	}
	return 0, fmt.Errorf("column %s is of type %v, which a copy does not know", field.DBName, field.FieldType)
}

// key are the columns of the key.
func (t *table) key() []column { return t.columns[:t.keys] }

// user is where the key names the row's user, or -1.
func (t *table) user() int {
	return slices.IndexFunc(t.key(), func(c column) bool { return c.name == "user_id" })
}

// identifying are the columns of the key, of the identity, and the one that
// moves.
func (t *table) identifying() []column {
	columns := slices.Clone(t.key())
	for _, name := range append(slices.Clone(t.identity), t.moves) {
		if i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == name }); i >= 0 {
			columns = append(columns, t.columns[i])
		}
	}
	return columns
}

func names(columns []column) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
	}
	return list
}

// query returns the text that reads these columns of all rows in the order of
// the key.
func (t *table) query(columns []column, postgres bool) string {
	values := make([]string, len(columns))
	for i, c := range columns {
		values[i] = "t." + c.name
		if postgres {
			values[i] = c.kind.read(values[i])
		}
	}
	return fmt.Sprintf("SELECT %s FROM %s AS t ORDER BY t.%s",
		strings.Join(values, ", "), t.name, strings.Join(names(t.key()), ", t."))
}

// read returns the expression with which PostgreSQL gives what SQLite does.
func (k kind) read(column string) string {
	switch k {
	case id:
		return "uuid_send(" + column + ")"
	case number:
		return column + "::float8"
	}
	return column
}
