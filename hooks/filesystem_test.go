package hooks

import (
	"strings"
	"testing"
)

func TestDangerOf(t *testing.T) { // T25
	for fileSystem, want := range map[string]danger{
		"nfs": deadly, "nfs4": deadly, "cifs": deadly, "smb2": deadly, "smbfs": deadly, "9p": deadly, "virtiofs": deadly,
		"fuse.sshfs": deadly, "fuse.s3fs": deadly, "fuse.rclone": deadly, "fuse.glusterfs": deadly, "ceph": deadly,
		"fuse": doubtful, "fuse.homemade": doubtful, "macfuse": doubtful,
		"fuseblk": safe, "fuse.gocryptfs": safe, "fuse.fuse-overlayfs": safe,
		"apfs": safe, "0xef53": safe, "0x1021994": safe, "": safe,
	} {
		if got := dangerOf(fileSystem); got != want {
			t.Errorf("%s: got %d, want %d", fileSystem, got, want)
		}
	}
}

func TestJudgeFileSystem(t *testing.T) {
	for _, test := range []struct {
		fileSystem string
		readOnly   bool
		found      int
		severe     bool
	}{
		{"nfs", false, 1, true},
		{"nfs", true, 1, false},
		{"fuse.homemade", false, 1, false},
		{"0xef53", false, 0, false},
	} {
		found := judgeFileSystem("data", test.fileSystem, test.readOnly)
		if len(found) != test.found {
			t.Fatalf("%+v: got %+v", test, found)
		}
		if len(found) > 0 && (found[0].Severe != test.severe || !strings.Contains(found[0].What, test.fileSystem)) {
			t.Errorf("%+v: got %+v", test, found[0])
		}
	}
}
