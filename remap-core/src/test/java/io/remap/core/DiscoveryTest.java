package io.remap.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.remap.api.BlockDevice;
import io.remap.api.DeviceUri;
import io.remap.api.Refusal;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.PairIdentity;
import io.remap.api.spi.SpareIdentity;
import io.remap.api.spi.SpareSlots;
import io.remap.core.device.FileDeviceProvider;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is said of a spare whose table cannot be read. */
class DiscoveryTest {
    private static final PairIdentity PAIR = new PairIdentity(new UUID(1, 2), 1 << 20, 512, "main");

    @TempDir
    Path directory;

    private static MetadataProvider damaged() {
        return (MetadataProvider) Proxy.newProxyInstance(
                MetadataProvider.class.getClassLoader(),
                new Class<?>[] {MetadataProvider.class},
                (proxy, method, args) -> {
                    String name = args == null ? "" : ((BlockDevice) args[0]).name();
                    boolean further = name.endsWith("further.spare");
                    return switch (method.getName()) {
                        case "name" -> "damaged";
                        case "pairOnSpare" -> Optional.of(PAIR).filter(pair -> name.endsWith(".spare"));
                        case "member" ->
                            Optional.of(new SpareIdentity(PAIR, 1, new UUID(7, 8), SpareSlots.of(0, 16, 4096), 5))
                                    .filter(identity -> further);
                        case "table", "firstSpare" -> Optional.empty();
                        case "identity" -> InvocationHandler.invokeDefault(proxy, method, args);
                        case "open" -> throw new Refusal(Refusal.Kind.DAMAGED, "both copies are damaged");
                        default -> throw new UnsupportedOperationException(method.getName());
                    };
                });
    }

    private DeviceUri file(String name) throws Exception {
        return DeviceUri.parse(
                Files.write(directory.resolve(name), new byte[1 << 20]).toString());
    }

    @Test
    void ofATableThatCannotBeReadNothingElseIsSaid() throws Exception {
        try (SystemEnvironment system = SystemEnvironment.start()) {
            Discovery discovery = new Discovery(
                    Providers.of(List.of(damaged(), new FileDeviceProvider())),
                    directory.resolve("state"),
                    system.environment());
            Discovery.Result result =
                    discovery.find(List.of(file("main.img"), file("first.spare"), file("further.spare")));
            assertEquals(List.of(), result.pairs());
            assertEquals(1, result.skipped().size(), result.toString());
            assertTrue(result.skipped().get(0).what().startsWith("its table cannot be read"), result.toString());
            assertEquals(1, result.alone().size(), result.toString());
            String further = result.alone().get(0).what();
            assertTrue(result.alone().get(0).device().endsWith("further.spare"), result.toString());
            assertTrue(further.contains("whether something stands on it is not known"), further);
        }
    }
}
