package maintenance

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/flashstore/flashstore/hooks"
)

// WALFullError says that a write was refused because the log is above
// GuardConfig.HardLimit. Nothing of it was done; reads go on, and so do writes
// once the log is short again.
type WALFullError struct {
	Bytes   int64            // of the log
	Limit   int64            // bytes
	Readers []hooks.OpenRows // of this process, the oldest first; with hooks.Config.TraceRows
	Advice  string           // what keeps the log long, as far as is known, and what to do
}

func (e *WALFullError) Error() string {
	return fmt.Sprintf("the write-ahead log has %d KiB, and writes are refused above %d KiB: %s",
		e.Bytes>>10, e.Limit>>10, e.Advice)
}

// judge refuses writes or allows them again, and tells of what has changed.
func (g *Guardian) judge(r *GuardReport) error {
	var advice string
	if r.Bytes > g.cfg.SoftLimit {
		r.Readers = g.plugin.State().Rows
		advice = g.advice(r.Readers)
	}
	if r.Bytes > g.cfg.HardLimit {
		if err := g.refuse(r, advice); err != nil {
			return err
		}
	} else if g.allow() {
		g.cfg.Logger.Info("the log is below its hard limit again: writes go on", g.figures(r, g.cfg.HardLimit)...)
	}
	g.tellLimit(r, advice)
	r.Refusing = g.refusing
	return nil
}

// refuse refuses writes, with the figures and the readers of now.
func (g *Guardian) refuse(r *GuardReport, advice string) error {
	full := &WALFullError{Bytes: r.Bytes, Limit: g.cfg.HardLimit, Readers: r.Readers, Advice: advice}
	if err := hooks.RefuseWrites(g.db, full); err != nil {
		return err
	}
	if !g.refusing {
		g.refusing, g.warned = true, true
		g.cfg.Logger.Error("the log is above its hard limit: writes are refused",
			append(g.figures(r, g.cfg.HardLimit), slog.String("advice", advice))...)
	}
	return nil
}

// allow ends a refusal of the guardian's own, and reports whether there was
// one.
func (g *Guardian) allow() bool {
	if !g.refusing {
		return false
	}
	g.refusing = false
	return hooks.RefuseWrites(g.db, nil) == nil
}

// tellLimit tells once that the log stays above the soft limit, and once that
// it is below.
func (g *Guardian) tellLimit(r *GuardReport, advice string) {
	above := r.Bytes > g.cfg.SoftLimit
	if above == g.warned {
		return
	}
	g.warned = above
	figures := g.figures(r, g.cfg.SoftLimit)
	if above {
		g.cfg.Logger.Warn("the log stays above its soft limit", append(figures, slog.String("advice", advice))...)
	} else {
		g.cfg.Logger.Info("the log is below its soft limit again", figures...)
	}
}

// tellFailure tells once that looks fail, and why.
func (g *Guardian) tellFailure(err error) {
	if err != nil && g.failed == nil {
		g.cfg.Logger.Warn("the guardian cannot look after the log", "path", g.path, "err", err)
	}
	g.failed = err
}

func (g *Guardian) figures(r *GuardReport, limit int64) []any {
	return []any{slog.String("path", g.path), slog.Int64("bytes", r.Bytes), slog.Int64("limit", limit)}
}

// namedMost is how many open rows a text names. The oldest are the ones that
// pin the log.
const namedMost = 3

// advice says what keeps the log long, as far as is known.
func (g *Guardian) advice(readers []hooks.OpenRows) string {
	var names []string
	for _, rows := range readers[:min(len(readers), namedMost)] {
		names = append(names, fmt.Sprintf("rows opened at %s %v ago (%.200s)",
			rows.Site, g.now().Sub(rows.Since).Round(time.Millisecond), rows.SQL))
	}
	others := "a read-only transaction that stays open, rows of db.DB(), a backup, or another process pins it: end that"
	switch {
	case len(names) > 0:
		if more := len(readers) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		return "it is pinned by " + strings.Join(names, ", ") + ": close them"
	case g.external:
		return "see that the external checkpointer runs; or " + others
	case g.plugin.Config().TraceRows:
		return "no rows of the plugin's readers are open; " + others
	}
	return "rows that are not closed (hooks.Config.TraceRows names them), " + others
}
