package writequeue

import (
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// looks is how often, while the database is patient, those who wait are looked
// at.
const looks = 4

// pluginOf returns the hooks plugin of db, or nil.
func pluginOf(db *gorm.DB) *hooks.Plugin {
	p, _ := db.Plugins[hooks.Name].(*hooks.Plugin)
	return p
}

// watch sees to it that those who wait are looked at. The caller holds the lock.
func (q *Queue) watch() {
	if q.plugin != nil && !q.watched {
		q.watched = true
		time.AfterFunc(q.plugin.Config().BusyTimeout/looks, q.look)
	}
}

// look answers those without a deadline who have waited as long as the database
// waits for the writer, while one function has held it. It may be one that waits
// for them, in another goroutine, and all would for ever.
func (q *Queue) look() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.watched = false
	if q.waiting.Len() == 0 {
		return
	}
	q.watch()
	patience := q.plugin.Config().BusyTimeout
	holder := q.plugin.State().Writer
	if holder.Site == "" || time.Since(holder.Since) < patience {
		return
	}
	for e := q.waiting.Front(); e != nil; {
		c := e.Value.(*call)
		e = e.Next()
		if waited := time.Since(c.came); waited >= patience && !c.leads && !c.hasDeadline() {
			q.remove(c)
			c.answer(&hooks.BusyError{Waited: waited, Holder: holder.String()})
		}
	}
}
