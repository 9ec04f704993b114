package main

import "github.com/spf13/cobra"

func init() { cobra.EnableCommandSorting = false }

// commands are all commands, in the order of the help.
func commands(opts *options) []*cobra.Command {
	return []*cobra.Command{
		demoCommand(opts),
		replayCommand(opts),
		loadtestCommand(opts),
		migrateCommand(opts),
		boardCommand(opts),
		statsCommand(opts),
		checkCommand(opts),
		checkpointCommand(opts),
		vacuumCommand(opts),
		backupCommand(opts),
	}
}
