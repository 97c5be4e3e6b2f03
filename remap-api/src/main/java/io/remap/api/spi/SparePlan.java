package io.remap.api.spi;

/**
 * What a spare of a given size would offer.
 *
 * @param slots slots of 4096 bytes for remapped sectors
 * @param mappingLimit most entries that the table on the spare holds
 * @param metadataBytes bytes taken by the metadata
 */
public record SparePlan(long slots, long mappingLimit, long metadataBytes) {}
