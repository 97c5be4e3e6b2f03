/**
 * The virtual disk: the sector map, the I/O over main and spare, recovery from failed sectors, the devices, and the
 * phased start and stop. It is the only module that loads the providers of the roles in {@code io.remap.api}.
 */
module io.remap.core {
    requires transitive io.remap.api;
    requires org.jnrproject.ffi;
    // jnr-ffi is an automatic module, so it cannot say that it needs these itself.
    requires org.objectweb.asm.commons;
    requires org.objectweb.asm.util;
}
