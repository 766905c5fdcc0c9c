package local

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// filesystem names that of a directory; one that is not listed by its number.
func filesystem(dir string) string {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return ""
	}
	names := map[int64]string{
		unix.BTRFS_SUPER_MAGIC: "btrfs", unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.TMPFS_MAGIC: "tmpfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs", unix.FUSE_SUPER_MAGIC: "fuse", unix.F2FS_SUPER_MAGIC: "f2fs",
		unix.SMB2_SUPER_MAGIC: "smb", unix.V9FS_MAGIC: "9p", unix.RAMFS_MAGIC: "ramfs", 0x2fc12fc1: "zfs", 0xca451a4e: "bcachefs",
	}
	if name, ok := names[int64(st.Type)]; ok {
		return name
	}
	return fmt.Sprintf("0x%x", st.Type)
}

// reflinks tries whether two files of a directory can share their blocks
// (ioctl_ficlonerange(2)).
func reflinks(dir string) bool {
	from, err := os.CreateTemp(dir, ".look-")
	if err != nil {
		return false
	}
	defer os.Remove(from.Name())
	defer from.Close()
	to, err := os.CreateTemp(dir, ".look-")
	if err != nil {
		return false
	}
	defer os.Remove(to.Name())
	defer to.Close()
	if _, err := from.Write(make([]byte, 64<<10)); err != nil {
		return false
	}
	return unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) == nil
}
