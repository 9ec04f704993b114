package hooks

import (
	"fmt"
	"slices"
	"strings"
)

// unknownSpace is what freeSpace returns where it cannot tell.
const unknownSpace = -1

// A write-ahead log has an index in memory that all its processes share, and
// locks that all of them see. A file system that other machines write to at
// the same time gives neither: SQLite's documentation rules them out (T25,
// https://www.sqlite.org/wal.html#noshm), and shared folders of virtual
// machines are of the same kind.
var networkFileSystems = []string{
	"nfs", "nfs4", "smb", "smb2", "smb3", "smbfs", "cifs", "afpfs", "ncpfs", "webdav",
	"9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs",
	"afs", "ceph", "coda", "lustre",
}

// networkFUSE are programs that show a network, or a store of objects, as
// files: what stands behind "fuse." in a list of mounts.
var networkFUSE = []string{
	"sshfs", "s3fs", "rclone", "gcsfuse", "goofys", "geesefs", "mountpoint-s3", "blobfuse", "blobfuse2",
	"glusterfs", "ceph", "ceph-fuse", "cephfs", "juicefs", "seaweedfs", "mfs", "moosefs", "lizardfs", "beegfs",
	"davfs", "davfs2", "curlftpfs", "smbnetfs", "gvfsd-fuse", "grpcfuse", "osxfs", "vmhgfs-fuse", "hdfs",
}

// localFUSE are programs that keep their files on a disk of this machine.
var localFUSE = []string{
	"fuseblk", "fuse.ntfs", "fuse.ntfs-3g", "fuse.exfat", "fuse.fuse-overlayfs", "fuse.gocryptfs",
	"fuse.encfs", "fuse.cryfs", "fuse.bindfs", "fuse.mergerfs", "fuse.lxcfs", "fuse.portal",
}

// danger is what a type of file system means for a write-ahead log.
type danger int

const (
	safe danger = iota
	doubtful
	deadly
)

// dangerOf judges a type by its name. What is not known here is taken for a
// disk, except for FUSE, where nobody can know what is behind it.
func dangerOf(fileSystem string) danger {
	program, isFUSE := strings.CutPrefix(fileSystem, "fuse")
	program = strings.TrimPrefix(program, ".")
	switch {
	case slices.Contains(networkFileSystems, fileSystem), isFUSE && slices.Contains(networkFUSE, program):
		return deadly
	case slices.Contains(localFUSE, fileSystem):
		return safe
	case isFUSE, fileSystem == "macfuse", fileSystem == "osxfuse":
		return doubtful
	}
	return safe
}

// judgeFileSystem makes a finding of the type of dir's file system.
func judgeFileSystem(dir, fileSystem string, readOnly bool) []Finding {
	f := Finding{
		Kind: FindingFileSystem,
		What: fmt.Sprintf("%s is on a file system of type %s", dir, fileSystem),
		Why:  "it is shared over a network or with a virtual machine, where a database in WAL mode gets damaged",
		Do:   "put the file on a disk of this machine",
	}
	switch dangerOf(fileSystem) {
	case safe:
		return nil
	case doubtful:
		f.Why = "nobody can tell whether a network is behind it, and on one a database in WAL mode gets damaged"
		f.Do = "make sure that it is a disk of this machine"
	case deadly:
		f.Severe = !readOnly
	}
	return []Finding{f}
}
