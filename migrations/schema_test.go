package migrations_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flashstore/flashstore/migrations"
)

// sealed are the SHA-256 of the migrations' texts. A migration that has landed
// never changes, for there are databases that it has made: do not put a new
// sum in place of an old one. Add a migration instead, and its two sums for
// each engine here.
var sealed = map[string]string{
	"postgres/0001_practice.down.sql":     "9398ac42224161beff27e06231e39b0b8d52e196f63f0d0cecaec419135ea494",
	"postgres/0001_practice.up.sql":       "4f60be96cbf4d55774ae806635728a284eafcd0541cbe7749bda03f1eb90ded4",
	"postgres/0002_shop.down.sql":         "b5f3bf0426fe2d4d70409a54b685f932d222b37ab2ba286a6b09cdab8462aae0",
	"postgres/0002_shop.up.sql":           "7602c56137fe193baa017e6f640a94960cd084c30a875db9bf671e05bf85976b",
	"postgres/0003_archive.down.sql":      "bde82a8b54a2f4cc1d980f1ee0bacff462e361e7f2500db7cfc5f73e1217a7e9",
	"postgres/0003_archive.up.sql":        "bad3095dd2512eece4c43f742176ad8f229a3580266ba33f0e655447720ddbab",
	"postgres/0004_set_aside.down.sql":    "54a0ea9a03e2a6452c4623e23611a0fb6f22dc3dafe89549f662fe98376def58",
	"postgres/0004_set_aside.up.sql":      "d5846358f2a589f95e6900e651b5ec4cae95fe5ba08549069308cbd24d3a552d",
	"postgres/0005_search.down.sql":       "73db24d4a55750200d6343723d2e9eb3713ed2523110a4e946ee5ee3cea428d0",
	"postgres/0005_search.up.sql":         "bccb5420fbd16ff038ee6e7f832648d8193be42e6b024a8b1ab8e9ff95a61f37",
	"postgres/0006_board_ranges.down.sql": "8b7658323c9f7104fcb4bda3ab1248c3860ec49ffcfe143ea3fd603f460ae289",
	"postgres/0006_board_ranges.up.sql":   "95757b23a429b56a93d3a5786a7ba3fce9ddfcc71591132504a681850c525215",
	"postgres/0007_versions.down.sql":     "f9a9ddd9f026390898b607bb1b1be3f4d1bb82f8fb6b4272fd05282bd72f9ba3",
	"postgres/0007_versions.up.sql":       "a74e05c1cb302e8791f7f181a2eabe388b1aa5608828d4c2fa38912a2eed5225",
	"postgres/0008_board_moves.down.sql":  "ca4fd0e2e74f4b805dc78bb4ef8afcf5813a31c6453cd63a01b9c73da9ccef75",
	"postgres/0008_board_moves.up.sql":    "7921efa262131a980fbf0de87d09fa745b8b391a24f866934183c04a3b471279",

	"sqlite/0001_practice.down.sql":     "9398ac42224161beff27e06231e39b0b8d52e196f63f0d0cecaec419135ea494",
	"sqlite/0001_practice.up.sql":       "6d497b84c6bac431a898e9b9a0a4e6f960151b47ea7671aa14e1c250f2faee80",
	"sqlite/0002_shop.down.sql":         "b5f3bf0426fe2d4d70409a54b685f932d222b37ab2ba286a6b09cdab8462aae0",
	"sqlite/0002_shop.up.sql":           "08648784397585087e2d096d16fbf757ab32ba49589311e983d54372b3d140a3",
	"sqlite/0003_archive.down.sql":      "e905d45216acc82cf4f9cdf1cd154c33ac3d5e5fff56eda52e6ccb3a977d2571",
	"sqlite/0003_archive.up.sql":        "deb4d10091b9cd0c8c17ff742b6fbdaf3022b27b75014a6d6df108ff90f9a694",
	"sqlite/0004_set_aside.down.sql":    "54a0ea9a03e2a6452c4623e23611a0fb6f22dc3dafe89549f662fe98376def58",
	"sqlite/0004_set_aside.up.sql":      "ea87862700cfa8fc4aa370370ba876214eaea1af7570249d42b64cda584b97cd",
	"sqlite/0005_search.down.sql":       "d7354bd8112076b36d04cfeb4bb8e7b3885495acb29f7c07a52cabecedd7eb37",
	"sqlite/0005_search.up.sql":         "341e97ff2a80a8d4f6aecb02d27196d49216e92313dc61d2a3d02bc7f9e715c0",
	"sqlite/0006_board_ranges.down.sql": "e9de66fabcc9432db0eb592bf63195cbe49603214719c9344afae336c44df5a4",
	"sqlite/0006_board_ranges.up.sql":   "0c141db7086647256837c693b1ccb0d89f3e57a3fd0215c55cf92f1b44a0cd3b",
	"sqlite/0007_versions.down.sql":     "f9a9ddd9f026390898b607bb1b1be3f4d1bb82f8fb6b4272fd05282bd72f9ba3",
	"sqlite/0007_versions.up.sql":       "e4e2b9e1deafa9e3370b521516b9e5c44db5e449fc32f4305d1176375b22a59c",
	"sqlite/0008_board_moves.down.sql":  "2f94409571a3fed4301118c09ac834e45ea7234d3b791d60877bcf9f395ce98e",
	"sqlite/0008_board_moves.up.sql":    "83c39e46c8c7a8768c7b5ba6401bf98c22ae39f6dee75f5e5dae85cc6d49fac0",
}

func TestMigrationsAreSealed(t *testing.T) {
	files, err := filepath.Glob("*/*.sql")
	must(t, err)
	sums := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		must(t, err)
		sum := sha256.Sum256(text)
		sums[filepath.ToSlash(name)] = hex.EncodeToString(sum[:])
	}
	if diff := cmp.Diff(sealed, sums); diff != "" {
		t.Errorf("a landed migration never changes: add a new one (-sealed +is)\n%s", diff)
	}
}

func TestUpDownUp(t *testing.T) {
	for _, cfg := range []migrations.Config{none, prefixed} {
		for _, stack := range stacks {
			t.Run(stack.name+"/prefix "+cfg.TablePrefix, func(t *testing.T) {
				at := stack.new(t)
				db := stack.open(t, at)
				mustUp(t, db, cfg)
				first := schemaOf(t, at)
				leagues := rowsOf(t, at)[cfg.TablePrefix+"leagues"]
				for _, steps := range []int{1, 2, 3, 1} {
					addCustomers(t, at, cfg.TablePrefix, 1, 2)
					mustDown(t, db, cfg, steps)
					mustBePart(t, first, schemaOf(t, at))
					mustUp(t, db, cfg)
					if diff := cmp.Diff(first, schemaOf(t, at)); diff != "" {
						t.Errorf("schema after %d down and up again (-first +second)\n%s", steps, diff)
					}
					run(t, at, cfg.TablePrefix, "DELETE FROM {users}")
				}
				if diff := cmp.Diff(leagues, rowsOf(t, at)[cfg.TablePrefix+"leagues"]); diff != "" {
					t.Errorf("leagues (-first +second)\n%s", diff)
				}
			})
		}
	}
}

// mustBePart fails unless part is less than all of whole and nothing else: a
// table of it may lack columns that were added to it.
func mustBePart(t *testing.T, whole, part map[string]string) {
	t.Helper()
	if maps.Equal(part, whole) {
		t.Errorf("all of %d objects are left", len(part))
	}
	for name, text := range part {
		without, _, _ := strings.Cut(text, "\n)") // SQLite adds a column there, PostgreSQL at the end
		if isShorter := strings.HasPrefix(name, "table ") && strings.HasPrefix(whole[name], without); whole[name] != text && !isShorter {
			t.Errorf("%s is %q, want %q", name, text, whole[name])
		}
	}
}

func TestPrefix(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			const prefix = "fm_"
			at := stack.migrated(t, prefixed)
			got := schemaOf(t, at)
			for kindAndName, text := range got {
				_, name, _ := strings.Cut(kindAndName, " ")
				if !strings.HasPrefix(strings.TrimPrefix(name, "sqlite_autoindex_"), prefix) {
					t.Errorf("%s has no prefix: %s", kindAndName, text)
				}
			}

			// Without the prefix, it is the same as where there is none.
			bare := map[string]string{}
			for name, text := range got {
				bare[strings.ReplaceAll(name, prefix, "")] = strings.ReplaceAll(text, prefix, "")
			}
			want := schemaOf(t, stack.migrated(t, none))
			if diff := cmp.Diff(want, bare); diff != "" {
				t.Errorf("schema without its prefix (-want +got)\n%s", diff)
			}
			mustNotName(t, want, got)
			mustReferToPrefixed(t, at, prefix)
		})
	}
}

// mustNotName fails if a text of prefixed holds a name of unprefixed as a
// whole word.
func mustNotName(t *testing.T, unprefixed, prefixed map[string]string) {
	t.Helper()
	words := map[string]bool{}
	for name := range maps.Keys(unprefixed) {
		_, name, _ = strings.Cut(name, " ")
		words[name] = true
	}
	for name, text := range prefixed {
		for _, word := range strings.FieldsFunc(text, notOfAName) {
			if words[word] {
				t.Errorf("%s names %s, which has no prefix: %s", name, word, text)
			}
		}
	}
}

func notOfAName(r rune) bool {
	return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

func mustReferToPrefixed(t *testing.T, at, prefix string) {
	t.Helper()
	references := query(t, at, pick(at, `
		SELECT m.name, f."table" FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f
		WHERE m.type = 'table'`,
		"SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'"))
	if len(references) == 0 {
		t.Error("there is no foreign key")
	}
	exists := map[string]bool{}
	for _, name := range tablesOf(t, at) {
		exists[name] = true
	}
	for _, row := range references {
		if !strings.HasPrefix(row[1], prefix) || !exists[row[1]] {
			t.Errorf("%s refers to %s", row[0], row[1])
		}
	}
}

// Two applications may share a file.
func TestTwoPrefixes(t *testing.T) {
	for _, stack := range []stack{hooksSQLite, onPostgres} {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.new(t)
			db := stack.open(t, at)
			mustUp(t, db, none)
			mustUp(t, db, prefixed)
			addCustomers(t, at, "", 1)
			addCustomers(t, at, "fm_", 2)
			want := rowsOf(t, at)
			mustDown(t, db, prefixed, 0)
			for name := range want {
				if strings.HasPrefix(name, "fm_") {
					delete(want, name)
				}
			}
			want["fm_schema_migrations"] = []string{}
			if diff := cmp.Diff(want, rowsOf(t, at)); diff != "" {
				t.Errorf("rows (-want +got)\n%s", diff)
			}
		})
	}
}

func TestBadPrefix(t *testing.T) {
	for _, prefix := range []string{
		"FM_", "fM", "1fm_", "_fm", `fm"`, "fm'", "fm`", "fm ", " fm", "fm-", "fm.", "fm;", "fm]", "fm\n", "fmé", "{fm}", "sqlite_",
	} {
		t.Run(prefix, func(t *testing.T) {
			path := newPath(t)
			db := openPlain(t, path, quiet())
			cfg := migrations.Config{TablePrefix: prefix}
			_, up := migrations.Up(t.Context(), db, cfg)
			_, down := migrations.Down(t.Context(), db, cfg, 0)
			for _, err := range []error{up, down, migrations.Check(t.Context(), db, cfg)} {
				if err == nil || !strings.Contains(err.Error(), "TablePrefix") {
					t.Errorf("got error %v, want one that names TablePrefix", err)
				}
			}
			if tables := tablesOf(t, path); len(tables) != 0 {
				t.Errorf("made %v", tables)
			}
		})
	}
}
