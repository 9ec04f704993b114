package hooks

// Its path is an error message.
import _ "github.com/flashstore/flashstore/hooks/internal/needs-cgo-and-a-C-compiler"
