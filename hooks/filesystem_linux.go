package hooks

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// magic are the numbers by which statfs names the file systems that matter
// here (statfs(2), linux/magic.h). Others are called by their number.
var magic = map[uint32]string{
	0x00006969: "nfs",
	0x0000517B: "smb",
	0xFE534D42: "smb2",
	0xFF534D42: "cifs",
	0x0000564C: "ncpfs",
	0x01021997: "9p",
	0x65735546: "fuse", // virtiofs too
	0x786F4256: "vboxsf",
	0xBACBACBC: "vmhgfs",
	0x5346414F: "afs",
	0x6B414653: "afs",
	0x00C36400: "ceph",
	0x73757245: "coda",
	0x0BD00BD0: "lustre",
}

// fileSystemType returns the type of the file system that dir is on.
func fileSystemType(dir string) (string, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return "", err
	}
	// The field is signed on some machines, and the numbers have 32 bits.
	name, ok := magic[uint32(fs.Type)]
	switch {
	case !ok:
		return fmt.Sprintf("%#x", uint32(fs.Type)), nil
	case name == "fuse":
		return fuseType(dir), nil
	}
	return name, nil
}

// fuseType returns what the list of mounts calls the FUSE file system that
// dir is on, such as fuse.sshfs or virtiofs, or "fuse" where it cannot tell.
func fuseType(dir string) string {
	var stat syscall.Stat_t
	if err := syscall.Stat(dir, &stat); err != nil {
		return "fuse"
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "fuse"
	}
	return mountedType(string(mounts), uint64(stat.Dev)) //nolint:unconvert // Dev has 32 bits on some machines
}

// mountedType finds a device in the text of mountinfo, proc_pid_mountinfo(5):
//
//	36 35 0:52 / /mnt rw,noatime master:1 - fuse.sshfs host:/dir rw
func mountedType(mountinfo string, dev uint64) string {
	device := fmt.Sprintf("%d:%d", dev>>8&0xfff|dev>>32&^0xfff, dev&0xff|dev>>12&^0xff&0xffffffff)
	for line := range strings.Lines(mountinfo) {
		mount, how, _ := strings.Cut(line, " - ")
		fields, types := strings.Fields(mount), strings.Fields(how)
		if len(fields) > 2 && fields[2] == device && len(types) > 0 {
			return types[0]
		}
	}
	return "fuse"
}
