package storage

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/models"
)

// batch is what is booked in one transaction: what is known before, changed
// booking by booking, and written at the end in a few statements.
type batch struct {
	*unit
	careful bool // look for everything before
	blind   bool // look for nothing before

	users    map[int64]*models.User
	seqs     map[int64]int64 // of each user's last ledger entry
	sessions map[models.ID]models.Session
	answers  map[answerKey]models.AnswerEvent // nil: not looked for
	seasons  map[int64]models.Season          // by the id of the season that a moment falls in
	aside    *aside                           // nil: nothing is set aside, now or before

	newSessions []models.Session
	newAnswers  []models.AnswerEvent
	newEntries  []models.CoinEntry
	standings   map[standingKey]models.LeagueParticipant
	changed     map[int64]bool // users
}

// answerKey and standingKey are primary keys.
type (
	answerKey struct {
		user int64
		id   models.ID
	}
	standingKey struct{ user, season int64 }
)

func newBatch(u *unit, careful bool) *batch {
	return &batch{
		unit: u, careful: careful,
		users: map[int64]*models.User{}, seqs: map[int64]int64{}, sessions: map[models.ID]models.Session{},
		seasons:   map[int64]models.Season{},
		standings: map[standingKey]models.LeagueParticipant{}, changed: map[int64]bool{},
	}
}

// book books jobs in their order. One that cannot be done gets its error and
// leaves nothing.
func (b *batch) book(jobs []*job) error {
	if err := b.load(jobs); err != nil {
		return err
	}
	for _, j := range jobs {
		j.Out, j.Err = b.add(j.In)
	}
	return b.save()
}

// add books one booking in memory.
func (b *batch) add(in booking) (out booked, err error) {
	user, known := b.users[in.userID]
	if !known && b.needsUser(in) {
		return out, fmt.Errorf("user %d: %w", in.userID, ErrNotFound)
	}
	if in.session != nil {
		if before, ok := b.emptied(in.session.ID); ok {
			out.receipt, err = repeated(&before, in)
			return out, err
		}
		if before, ok := b.sessions[in.session.ID]; ok {
			out.receipt, err = repeated(&before, in)
			return out, err
		}
	}
	p, err := b.sift(in)
	if err != nil {
		return out, err
	}
	if in.session != nil {
		if out.receipt, err = b.addRest(user, in, &p); err != nil {
			return out, err
		}
	}
	if in.league != nil {
		out.season = b.addLeagueXP(user, *in.league)
	}
	b.addAnswers(p.fresh)
	b.aside.add(p.aside)
	out.appended = AppendReceipt{Booked: len(p.fresh), Repeated: len(in.events) - len(p.fresh) - p.outside, SetAside: p.outside}
	return out, nil
}

// needsUser reports whether a booking's user must be known before it: answers
// alone change no row of theirs, and unless that is locked first, the database
// itself refuses a user who does not exist.
func (b *batch) needsUser(in booking) bool {
	return b.careful || b.locksRows && !b.blind || in.changesUser()
}

func (b *batch) addAnswers(events []models.AnswerEvent) {
	if b.answers != nil {
		for _, e := range events {
			b.answers[answerKey{e.UserID, e.ID}] = e
		}
	}
	b.newAnswers = append(b.newAnswers, events...)
}

// addSession books a session and what it brings its user.
func (b *batch) addSession(user *models.User, s models.Session) (Receipt, error) {
	if s.CoinsEarned > 0 {
		earned := entry{id: s.ID, delta: s.CoinsEarned, reason: ReasonSession, reference: s.ID.String()}
		if err := b.addEntry(user, earned); err != nil {
			return Receipt{}, err
		}
	}
	s.SeasonID = b.addLeagueXP(user, leagueXP{xp: s.XPEarned, at: s.EndedAt}).ID
	user.TotalXP += s.XPEarned
	user.Level = b.cfg.Rules.level(user.TotalXP)
	if s.EndedAt.After(user.LastActiveAt) {
		user.LastActiveAt = s.EndedAt
	}
	b.changed[user.ID] = true
	b.sessions[s.ID] = s
	b.newSessions = append(b.newSessions, s)
	return receiptOf(s), nil
}

// addEntry books a change of coins. Its number is the user's next.
func (b *batch) addEntry(user *models.User, e entry) error {
	if b.careful {
		if err := b.checkEntry(user.ID, e.id); err != nil {
			return err
		}
	}
	b.seqs[user.ID]++
	user.Coins += e.delta
	b.newEntries = append(b.newEntries, e.row(user, b.seqs[user.ID], b.now))
	return nil
}

// addLeagueXP adds XP to a user's standing, and returns the season that it
// goes to. XP of 0 makes a participant too.
func (b *batch) addLeagueXP(user *models.User, xp leagueXP) models.Season {
	season := b.seasons[seasonOf(xp.at, b.zone).ID]
	row := standingIn(season, user, xp)
	key := standingKey{user.ID, season.ID}
	if before, ok := b.standings[key]; ok {
		row = plus(before, row)
	}
	b.standings[key] = row
	return season
}

// load reads what the jobs need to know.
func (b *batch) load(jobs []*job) error {
	var users, earners []int64
	var changes bool // of users' rows
	var sessions []models.ID
	if err := b.watch(); err != nil {
		return err
	}
	for _, j := range jobs {
		in := j.In
		if b.needsUser(in) {
			users = append(users, in.userID)
			changes = changes || in.changesUser()
		}
		if in.session != nil {
			sessions = append(sessions, in.session.ID)
			if in.session.CoinsEarned > 0 || b.aside != nil { // without a wrong answer it may be more
				earners = append(earners, in.userID)
			}
			if in.isDoubted() {
				continue // perhaps no season is needed: addRest looks
			}
			if err := b.loadSeason(in.session.EndedAt); err != nil {
				return err
			}
		}
		if in.league != nil {
			if err := b.loadSeason(in.league.at); err != nil {
				return err
			}
		}
	}
	loadUsers := b.seeUsers
	if b.careful || changes {
		loadUsers = b.loadUsers
	}
	if err := firstError(
		func() error { return loadUsers(users) },
		func() error { return b.lockSessions(sessions) },
		func() error { return b.loadSeqs(earners) },
		func() error { return b.loadSessions(sessions) },
		func() error { return b.loadAside(jobs, sessions) },
	); err != nil {
		return err
	}
	return firstError(
		func() error { return b.loadAnswers(jobs) },
		func() error { return b.loadArchived(jobs) },
	)
}

// seeUsers finds out who is there, for bookings that need no more.
func (b *batch) seeUsers(ids []int64) error {
	there, err := b.holdUsers(ids)
	for _, id := range there {
		b.users[id] = nil
	}
	return err
}

func (b *batch) loadUsers(ids []int64) error {
	users, err := b.lockUsers(ids)
	for i := range users {
		b.users[users[i].ID] = &users[i]
	}
	return err
}

func (b *batch) loadSeqs(ids []int64) error {
	last, err := find[models.CoinEntry](distinct(ids), func(part []int64) *gorm.DB { return b.raw(ledgerLastOf, part) })
	for _, e := range last {
		b.seqs[e.UserID] = e.Seq
	}
	return err
}

func (b *batch) loadSessions(ids []models.ID) error {
	sessions, err := find[models.Session](ids, func(part []models.ID) *gorm.DB { return b.raw(sessionsByID, part) })
	for _, s := range sessions {
		b.sessions[s.ID] = s
	}
	return err
}

// loadSeason finds the season that XP of a moment goes to.
func (b *batch) loadSeason(at time.Time) (err error) {
	falls := seasonOf(at, b.zone).ID
	if _, ok := b.seasons[falls]; !ok {
		b.seasons[falls], err = b.openSeason(at)
	}
	return err
}

// loadAnswers reads those that a session may repeat: it comes with all of its
// answers, and some may have been appended before. So may one that is doubted.
func (b *batch) loadAnswers(jobs []*job) error {
	ids := map[int64][]models.ID{}
	for _, j := range jobs {
		if !b.careful && j.In.session == nil && j.In.doubts == nil {
			continue
		}
		for _, e := range j.In.events {
			ids[e.UserID] = append(ids[e.UserID], e.ID)
		}
	}
	if len(ids) > 0 {
		b.answers = map[answerKey]models.AnswerEvent{}
	}
	for user, of := range ids {
		known, err := find[models.AnswerEvent](of, func(part []models.ID) *gorm.DB { return b.raw(answersByID, user, part) })
		if err != nil {
			return err
		}
		for _, e := range known {
			b.answers[answerKey{e.UserID, e.ID}] = e
		}
	}
	return nil
}

// save writes what was booked.
func (b *batch) save() error {
	return firstError(
		b.saveSeasons,
		b.saveSessions,
		b.saveAnswers,
		b.saveAside,
		b.saveStandings,
		b.saveEntries,
		b.saveProgress,
	)
}

func (b *batch) saveSessions() error {
	if len(b.newSessions) == 0 {
		return nil
	}
	return insert(b.table(models.Session{}), b.newSessions, sessionColumns)
}

func (b *batch) saveAnswers() error {
	if len(b.newAnswers) == 0 {
		return nil
	}
	slices.SortFunc(b.newAnswers, byUserAndID)
	return b.bookAnswers(b.newAnswers)
}

func (b *batch) saveEntries() error {
	if len(b.newEntries) == 0 {
		return nil
	}
	once := b.table(models.CoinEntry{}).Clauses(clause.OnConflict{DoNothing: true})
	return allNew(len(b.newEntries))(insertCounted(once, b.newEntries, entryColumns))
}

func (b *batch) saveSeasons() error {
	if len(b.standings) == 0 || b.locksRows { // they were made when they were locked
		return nil
	}
	played := make(map[int64]bool, len(b.seasons))
	for key := range b.standings {
		played[key.season] = true
	}
	var seasons []models.Season
	for _, season := range b.seasons {
		if played[season.ID] {
			played[season.ID] = false // two weeks may lead to one season
			seasons = append(seasons, season)
		}
	}
	return b.keepSeasons(seasons)
}

func (b *batch) saveStandings() error {
	if len(b.standings) == 0 {
		return nil
	}
	rows := slices.SortedFunc(maps.Values(b.standings), func(x, y models.LeagueParticipant) int {
		return cmp.Or(cmp.Compare(x.UserID, y.UserID), cmp.Compare(x.SeasonID, y.SeasonID))
	})
	return b.addStandings(rows)
}

// saveProgress writes what sessions have brought their users.
func (b *batch) saveProgress() error {
	return b.saveChanged("total_xp", "level", "coins", "last_active_at")
}

// saveChanged writes the named columns of the users that were changed.
func (b *batch) saveChanged(columns ...string) error {
	if len(b.changed) == 0 {
		return nil
	}
	users := make([]models.User, 0, len(b.changed))
	for _, id := range slices.Sorted(maps.Keys(b.changed)) {
		b.users[id].UpdatedAt = b.now
		users = append(users, *b.users[id])
	}
	return b.saveUsers(users, append(columns, "updated_at")...)
}
