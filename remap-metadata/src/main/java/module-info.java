/**
 * The remap table on the spare: the on-disk format, the commit log, recovery.
 *
 * @provides io.remap.api.spi.MetadataProvider as {@code log}
 */
module io.remap.metadata {
    requires io.remap.api;

    provides io.remap.api.spi.MetadataProvider with
            io.remap.metadata.LogMetadataProvider;
}
