/** The remap table on the spare: the on-disk format, the commit log, recovery, check and repair. */
module io.remap.metadata {
    requires io.remap.api;
}
