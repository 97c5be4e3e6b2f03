/**
 * The virtual disk: the sector map, the I/O over main and spare, recovery from failed sectors, the devices, and the
 * phased start and stop. It is the only module that loads the providers of the roles in {@code io.remap.api}.
 *
 * @uses io.remap.api.spi.BlockDeviceProvider devices by URI scheme
 * @uses io.remap.api.spi.BufferPoolProvider memory of transfers; {@code plain} is here
 * @uses io.remap.api.spi.ControlProvider makes a running service steerable
 * @uses io.remap.api.spi.FaultPolicyProvider rules for errors; {@code standard} is here
 * @uses io.remap.api.spi.FrontendProvider block protocols
 * @uses io.remap.api.spi.HealthProvider scanners
 * @uses io.remap.api.spi.IoEngineProvider executes transfers; {@code inline} is here
 * @uses io.remap.api.spi.MetadataProvider keeps the table on the spare
 * @uses io.remap.api.spi.TransportProvider moves bytes between sockets and sessions
 */
module io.remap.core {
    requires transitive io.remap.api;
    // The open option for direct transfers of the JDK's channels.
    requires jdk.unsupported;
    requires org.jnrproject.jffi;

    exports io.remap.core;
    exports io.remap.core.disk;
    exports io.remap.core.sim;

    uses io.remap.api.spi.BlockDeviceProvider;
    uses io.remap.api.spi.BufferPoolProvider;
    uses io.remap.api.spi.ControlProvider;
    uses io.remap.api.spi.FaultPolicyProvider;
    uses io.remap.api.spi.FrontendProvider;
    uses io.remap.api.spi.HealthProvider;
    uses io.remap.api.spi.IoEngineProvider;
    uses io.remap.api.spi.MetadataProvider;
    uses io.remap.api.spi.TransportProvider;

    provides io.remap.api.spi.BlockDeviceProvider with
            io.remap.core.device.FileDeviceProvider,
            io.remap.core.device.MemoryDeviceProvider,
            io.remap.core.sim.SimDeviceProvider;
    provides io.remap.api.spi.BufferPoolProvider with
            io.remap.core.io.PlainBufferPoolProvider;
    provides io.remap.api.spi.FaultPolicyProvider with
            io.remap.core.io.StandardFaultPolicyProvider;
    provides io.remap.api.spi.IoEngineProvider with
            io.remap.core.io.InlineIoEngineProvider;
}
