package hooks

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// source is where a DSN of mattn's driver points to.
type source struct {
	base     string     // what stands before the question mark
	params   url.Values // what stands behind it, less what the plugin decides
	memory   bool       // no file: one connection serves both roles
	readOnly bool       // mode=ro or immutable: nothing can be set in the file
}

// decided are the parameters that the plugin's own pragmas and transactions
// replace. A shared cache would bring table locks that no wait can end.
var decided = []string{
	"_auto_vacuum", "_vacuum", "_busy_timeout", "_timeout", "_cache_size",
	"_foreign_keys", "_fk", "_journal_mode", "_journal", "_synchronous",
	"_sync", "_query_only", "_txlock", "_stmt_cache_size", "cache",
}

// uriOnly are SQLite's own parameters, which it reads in a "file:" name only.
var uriOnly = []string{"mode", "cache", "immutable", "psow", "nolock", "modeof"}

// privateMemory numbers the in-memory databases that have no name.
var privateMemory atomic.Int64

// parseDSN reads dsn as mattn's driver does.
func parseDSN(dsn string) (source, error) {
	base, query, _ := strings.Cut(dsn, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return source{}, fmt.Errorf("read the data source name %q: %w", dsn, err)
	}
	if !strings.HasPrefix(base, "file:") {
		// The driver gives SQLite the bare path: "x.db?mode=memory" is a file.
		for _, key := range uriOnly {
			params.Del(key)
		}
	}
	src := source{base: base, params: params}
	mode := params.Get("mode")
	src.readOnly = mode == "ro" || params.Get("immutable") == "1"
	name := strings.TrimPrefix(base, "file:")
	src.memory = name == "" || name == ":memory:" || mode == "memory" || params.Get("vfs") == "memdb"
	if shared := params.Get("vfs") == "memdb" && strings.HasPrefix(name, "/"); src.memory && !shared {
		src.base = "file:/" + memoryName(name, params.Get("cache"))
		params.Del("mode")
		params.Set("vfs", "memdb")
	}
	for _, key := range decided {
		params.Del(key)
	}
	return src, nil
}

// memoryName returns the name under which all connections to one in-memory
// database meet. SQLite's own gives each connection a database of its own,
// unless its cache is shared (T21).
func memoryName(name, cache string) string {
	if cache == "shared" {
		return "shared-" + strings.Trim(name, ":/")
	}
	return "private-" + strconv.FormatInt(privateMemory.Add(1), 10)
}

// at returns s with the absolute path that SQLite has made of its name.
// Connections are opened when they are needed: by then the process may be in
// another directory, or a symbolic link may lead to another file.
func (s source) at(path string) source {
	switch {
	case s.memory || !strings.HasPrefix(path, "/"):
	case strings.HasPrefix(s.base, "file:"), strings.Contains(path, "?"): // where the driver cuts a bare name off
		s.base = "file:" + (&url.URL{Path: path}).EscapedPath()
	default:
		s.base = path
	}
	return s
}

// dsn returns the data source name for connections of role r.
func (s source) dsn(c Config, r role) string {
	params := url.Values{}
	for key, values := range s.params {
		params[key] = values
	}
	// The driver reads the file as it opens it. Under another program's lock it
	// comes back at once, and the wait is the connector's, under its context.
	params.Set("_busy_timeout", "0")
	if c.StatementCache > 0 {
		params.Set("_stmt_cache_size", strconv.Itoa(c.StatementCache))
	}
	if r == direct {
		params.Set("_txlock", "immediate")
	}
	return s.base + "?" + params.Encode()
}
