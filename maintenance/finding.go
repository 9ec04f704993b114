package maintenance

import "github.com/flashstore/flashstore/hooks"

// Finding is something about a database, or about where it lies, that its
// owner should know. The hooks plugin finds the same when it opens it.
type Finding = hooks.Finding
