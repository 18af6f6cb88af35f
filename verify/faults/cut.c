/* SPDX-License-Identifier: Apache-2.0
 * cut DIR: ends the ext4 file system at DIR as a power cut would: EXT4_IOC_SHUTDOWN without a flush of its journal. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

int main(int argc, char **argv) {
    uint32_t no_log_flush = 2;
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
    if (fd < 0 || ioctl(fd, _IOR('X', 125, uint32_t), &no_log_flush) != 0) {
        perror("cut");
        return 1;
    }
    return 0;
}
