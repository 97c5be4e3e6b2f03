package io.remap.api;

/** Where a feature stands in its life. */
public enum FeatureState {
    /** No module provides it. */
    ABSENT,
    STARTING,
    /** Started; shown as {@code enabled}. */
    STARTED,
    /** It did not start, or died; the service runs without it. */
    FAILED,
    STOPPED
}
