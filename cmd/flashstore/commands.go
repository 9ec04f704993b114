package main

import "github.com/spf13/cobra"

func init() { cobra.EnableCommandSorting = false }

// commands are all commands, in the order of the help.
func commands(opts *options) []*cobra.Command {
	return []*cobra.Command{
		opts.onlySQLite(demoCommand(opts), true),
		replayCommand(opts),
		opts.onlySQLite(loadtestCommand(opts), true),
		migrateCommand(opts),
		copyCommand(opts),
		archiveCommand(opts),
		boardCommand(opts),
		opts.onlySQLite(statsCommand(opts), false),
		opts.onlySQLite(adviseCommand(opts), false),
		opts.onlySQLite(checkCommand(opts), false),
		opts.onlySQLite(checkpointCommand(opts), false),
		opts.onlySQLite(vacuumCommand(opts), false),
		opts.onlySQLite(backupCommand(opts), false),
		opts.onlySQLite(restoreCommand(opts), false),
	}
}
