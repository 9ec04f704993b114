package hooks

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMagic(t *testing.T) {
	for number, want := range map[uint32]danger{
		0x6969: deadly, 0xFE534D42: deadly, 0xFF534D42: deadly, 0x01021997: deadly,
		0x65735546: doubtful, // until the list of mounts has been asked
		0xEF53:     safe, 0x58465342: safe, 0x9123683E: safe, 0x01021994: safe, 0x794C7630: safe, 0x2FC12FC1: safe,
	} {
		if got := dangerOf(magic[number]); got != want {
			t.Errorf("%#x: got %d, want %d", number, got, want)
		}
	}
	for number, name := range magic {
		if number != 0x65735546 && dangerOf(name) != deadly {
			t.Errorf("%#x is %s, which nothing is known of", number, name)
		}
	}
}

func TestMountedType(t *testing.T) {
	const mounts = `22 1 8:1 / / rw - ext4 /dev/sda1 rw
36 35 0:52 / /mnt rw,noatime master:1 - fuse.sshfs host:/dir rw
37 35 0:53 / /a\040b rw shared:1 master:2 - virtiofs tag rw
38 35 259:65541 / /big rw - fuseblk /dev/nvme0n1 rw
broken
`
	for dev, want := range map[uint64]string{
		52:                     "fuse.sshfs",
		53:                     "virtiofs",
		8<<8 | 1:               "ext4",
		259<<8 | 5 | 65536<<12: "fuseblk",
		54:                     "fuse",
	} {
		if got := mountedType(mounts, dev); got != want {
			t.Errorf("%#x: got %s, want %s", dev, got, want)
		}
	}
}

// What this machine says of its own file system.
func TestFileSystemType(t *testing.T) {
	dir := t.TempDir()
	got, err := fileSystemType(dir)
	if err != nil || got == "" {
		t.Fatalf("got %q, %v", got, err)
	}
	t.Logf("%s is on %s", dir, got)
	if got, err := fileSystemType("/proc"); err != nil || got != "0x9fa0" {
		t.Errorf("/proc is on %q, %v", got, err)
	}
	if _, err := fileSystemType(filepath.Join(dir, "nothing")); err == nil {
		t.Error("there is no error for a directory that does not exist")
	}
}

func TestFreeSpace(t *testing.T) {
	if got, err := freeSpace(t.TempDir()); err != nil || got < 1 {
		t.Fatalf("got %d, %v", got, err)
	}
}

func TestExposure(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "data")
	path := filepath.Join(dir, "app.db")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	chmod := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	chmod(top, 0o755)
	chmod(filepath.Dir(top), 0o755) // os.TempDir()/TestExposure…
	for _, test := range []struct{ file, dir, want os.FileMode }{
		{0o600, 0o755, 0}, {0o660, 0o755, 0}, {0o644, 0o755, 0o004}, {0o666, 0o755, 0o006},
		{0o602, 0o711, 0o002}, {0o666, 0o700, 0}, {0o666, 0o750, 0},
	} {
		chmod(path, test.file)
		chmod(dir, test.dir)
		if got, err := exposure(path); err != nil || got != test.want {
			t.Errorf("%+v: got %o, %v", test, got, err)
		}
	}
	if _, err := exposure(path + "x"); err == nil {
		t.Error("there is no error for a file that does not exist")
	}
}
