package main

import "github.com/spf13/cobra"

// commands are all commands, in the order of the help.
func commands(opts *options) []*cobra.Command {
	return []*cobra.Command{
		replayCommand(opts),
	}
}
