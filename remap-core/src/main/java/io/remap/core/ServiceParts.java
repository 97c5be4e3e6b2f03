package io.remap.core;

import io.remap.api.Environment;
import io.remap.api.Settings;
import io.remap.api.spi.FaultPolicy;

/**
 * What a service lends to its disks.
 *
 * @param pairs devices and tables
 * @param providers of every role
 * @param io what moves the bytes
 * @param policy rules for errors
 * @param environment time, threads and randomness
 * @param settings as the user chose them
 * @param own those of the service, read
 */
record ServiceParts(
        PairOpener pairs,
        Providers providers,
        IoPath io,
        FaultPolicy policy,
        Environment environment,
        Settings settings,
        ServiceSettings own) {}
