package storage

import (
	"context"
	"math/bits"
	"strings"
	"sync"

	"gorm.io/gorm"
)

// insertion is a statement that writes many rows at once. The hot ones are
// written by hand: GORM takes longer to build its own than SQLite to run it,
// and whatever the number of rows is, every text here is one that is prepared
// already.
//
// On SQLite they come in powers of two, with the place of one row repeated: to
// run one more statement is cheap there. On PostgreSQL it is another round trip:
// there one text takes a list for each column.
type insertion struct {
	before, after string   // as in: INSERT INTO … (…), and ON CONFLICT …
	types         []string // of the columns, as PostgreSQL names them
	columns       int
}

// insertions are all of them.
var insertions []*insertion

// declareInsert makes one of columns of these types. It is called for package
// variables only.
func declareInsert(before, types, after string) *insertion {
	list := strings.Split(types, ", ")
	i := &insertion{before: before, after: after, types: list, columns: len(list)}
	insertions = append(insertions, i)
	return i
}

// most is the largest power of two of rows that one statement can bind.
func (i *insertion) most() int { return bits.Len(uint(maxVariables/i.columns)) - 1 }

// together are insertions into tables that do not depend on each other.
type together []*insertion

// togethers are all of them.
var togethers []*together

// declareTogether makes one. It is called for package variables only.
func declareTogether(insertions ...*insertion) *together {
	t := together(insertions)
	togethers = append(togethers, &t)
	return &t
}

// texts returns the SQL for 1, 2, 4 … rows, each made when it is first needed.
func (i *insertion) texts(prefix string) []func() string {
	texts := make([]func() string, i.most()+1)
	row := "(" + strings.Repeat("?, ", i.columns-1) + "?)"
	for n := range texts {
		texts[n] = sync.OnceValue(func() string {
			rows := strings.Repeat(row+", ", 1<<n-1) + row
			return withPrefix(i.before+" VALUES "+rows+i.after, prefix)
		})
	}
	return texts
}

// put writes rows, whose values stand one after the other in args, and says how
// many were written.
func (u *unit) put(i *insertion, args []any) (written int64, err error) {
	if u.locksRows {
		return u.putLists(i, args)
	}
	for len(args) > 0 {
		if err := u.over(); err != nil {
			return written, err
		}
		n := min(bits.Len(uint(len(args)/i.columns))-1, i.most())
		part := i.columns << n
		result := u.exec(u.inserts[i][n](), args[:part])
		if result.Error != nil {
			return written, result.Error
		}
		written += result.RowsAffected
		args = args[part:]
	}
	return written, nil
}

// putAll is put for each of some insertions.
func (u *unit) putAll(t *together, args ...[]any) (written []int64, err error) {
	if u.locksRows {
		return u.putAllLists(t, args)
	}
	written = make([]int64, len(*t))
	for n, i := range *t {
		if written[n], err = u.put(i, args[n]); err != nil {
			return written, err
		}
	}
	return written, nil
}

// over returns why the unit is to end, or nil.
func (u *unit) over() error {
	if u.until == nil {
		return nil
	}
	return context.Cause(u.until)
}

// exec runs a statement whose text is ready. It is GORM's Exec without the
// search for variables in the text, which takes longer than SQLite does.
func (u *unit) exec(text string, args []any) *gorm.DB {
	tx := u.ready(text, args)
	return tx.Callback().Raw().Execute(tx)
}

// ready begins a statement whose text is ready, with its variables as the
// engine spells them.
func (u *unit) ready(text string, args []any) *gorm.DB {
	tx := u.tx.Unscoped() // a statement of its own
	tx.Statement.SQL.WriteString(text)
	tx.Statement.Vars = args
	return tx
}
