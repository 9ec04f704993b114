package hooks

// Config returns what the plugin was made with, defaults filled in. Those who
// work beside it go by it: maintenance.Guard leaves the log alone where it is
// an ExternalCheckpointer's.
func (p *Plugin) Config() Config { return p.cfg }
