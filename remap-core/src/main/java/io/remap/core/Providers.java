package io.remap.core;

import io.remap.api.Refusal;
import io.remap.api.Setting;
import io.remap.api.Settings;
import io.remap.api.spi.BlockDeviceProvider;
import io.remap.api.spi.BufferPoolProvider;
import io.remap.api.spi.ControlProvider;
import io.remap.api.spi.FaultPolicyProvider;
import io.remap.api.spi.FrontendProvider;
import io.remap.api.spi.HealthProvider;
import io.remap.api.spi.IoEngineProvider;
import io.remap.api.spi.MetadataProvider;
import io.remap.api.spi.Provider;
import io.remap.api.spi.TransportProvider;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The providers of every role, either found on the module path or given by hand; whoever uses them cannot tell which.
 *
 * <p>Invariants: within a role names are unique; providers are listed by name. Immutable.
 */
public final class Providers {
    /** Most broken providers of one role that are skipped before the installation is given up. */
    private static final int MAX_BROKEN_PROVIDERS = 64;

    private static final Logger LOG = LoggerFactory.getLogger(Providers.class);

    /** The roles, in the order in which they are listed. */
    private enum Role {
        BLOCK_DEVICE("block device", BlockDeviceProvider.class),
        BUFFER_POOL("buffer pool", BufferPoolProvider.class),
        IO_ENGINE("I/O engine", IoEngineProvider.class),
        POLICY("fault policy", FaultPolicyProvider.class),
        METADATA("metadata", MetadataProvider.class),
        HEALTH("health", HealthProvider.class),
        TRANSPORT("transport", TransportProvider.class),
        FRONTEND("frontend", FrontendProvider.class),
        CONTROL("control", ControlProvider.class);

        final String title;
        final Class<? extends Provider> type;

        Role(String title, Class<? extends Provider> type) {
            this.title = title;
            this.type = type;
        }

        static Role of(Class<? extends Provider> type) {
            for (Role role : values()) {
                if (role.type == type) {
                    return role;
                }
            }
            throw new IllegalArgumentException(type + " is no role");
        }
    }

    /**
     * One line of {@code remap plugins list}.
     *
     * @param role what it can be
     * @param name by which it is chosen
     * @param module where it comes from
     * @param description one line
     */
    public record Description(String role, String name, String module, String description) {}

    private final Map<Role, Map<String, Provider>> byRole;
    private final List<String> broken;

    private Providers(Map<Role, Map<String, Provider>> byRole, List<String> broken) {
        this.byRole = byRole;
        this.broken = List.copyOf(broken);
    }

    /**
     * Finds the providers of all modules. One whose construction fails is named in {@link #broken()} and left out.
     *
     * @throws Refusal {@link Refusal.Kind#ENVIRONMENT} if two providers of a role have the same name
     */
    public static Providers load() throws Refusal {
        List<Provider> found = new ArrayList<>();
        List<String> broken = new ArrayList<>();
        // ServiceLoader demands that the class stands literally in the call of the module that declares `uses`.
        collect(ServiceLoader.load(BlockDeviceProvider.class), found, broken);
        collect(ServiceLoader.load(BufferPoolProvider.class), found, broken);
        collect(ServiceLoader.load(IoEngineProvider.class), found, broken);
        collect(ServiceLoader.load(FaultPolicyProvider.class), found, broken);
        collect(ServiceLoader.load(MetadataProvider.class), found, broken);
        collect(ServiceLoader.load(HealthProvider.class), found, broken);
        collect(ServiceLoader.load(TransportProvider.class), found, broken);
        collect(ServiceLoader.load(FrontendProvider.class), found, broken);
        collect(ServiceLoader.load(ControlProvider.class), found, broken);
        for (String line : broken) {
            LOG.warn("{}", line);
        }
        return build(found, broken);
    }

    /**
     * Takes the providers as given; each fills every role whose interface it implements.
     *
     * @throws Refusal as {@link #load}
     */
    public static Providers of(Collection<? extends Provider> providers) throws Refusal {
        return build(providers, List.of());
    }

    private static <P extends Provider> void collect(
            ServiceLoader<P> loader, List<Provider> found, List<String> broken) {
        Iterator<P> iterator = loader.iterator();
        int failures = 0;
        while (failures < MAX_BROKEN_PROVIDERS) {
            try {
                if (!iterator.hasNext()) {
                    return;
                }
                found.add(iterator.next());
            } catch (ServiceConfigurationError | LinkageError e) {
                failures++;
                Throwable cause = e.getCause() == null ? e : e.getCause();
                broken.add("provider left out: " + e.getMessage() + (cause == e ? "" : " (" + cause + ")"));
            }
        }
    }

    private static Providers build(Collection<? extends Provider> found, List<String> broken) throws Refusal {
        Map<Role, Map<String, Provider>> byRole = new TreeMap<>();
        for (Role role : Role.values()) {
            byRole.put(role, new TreeMap<>());
        }
        for (Provider provider : found) {
            for (Role role : Role.values()) {
                if (!role.type.isInstance(provider)) {
                    continue;
                }
                Provider other = byRole.get(role).put(provider.name(), provider);
                if (other != null && other.getClass() != provider.getClass()) {
                    throw new Refusal(
                            Refusal.Kind.ENVIRONMENT,
                            "two modules provide the " + role.title + " '" + provider.name() + "': "
                                    + moduleOf(other) + " and " + moduleOf(provider)
                                    + "; remove one of them from the module path");
                }
            }
        }
        return new Providers(byRole, broken);
    }

    /** All providers of a role, by name. */
    public <P extends Provider> List<P> all(Class<P> role) {
        return byRole.get(Role.of(role)).values().stream().map(role::cast).toList();
    }

    /** The provider of that name, if there is one. */
    public <P extends Provider> Optional<P> find(Class<P> role, String name) {
        return Optional.ofNullable(byRole.get(Role.of(role)).get(name)).map(role::cast);
    }

    /**
     * The provider of that name.
     *
     * @throws Refusal {@link Refusal.Kind#ENVIRONMENT} if there is none; the message lists those found
     */
    public <P extends Provider> P require(Class<P> role, String name) throws Refusal {
        Optional<P> found = find(role, name);
        if (found.isPresent()) {
            return found.get();
        }
        Role of = Role.of(role);
        throw new Refusal(
                Refusal.Kind.ENVIRONMENT,
                "no module provides the " + of.title + " '" + name + "'; found: "
                        + (byRole.get(of).isEmpty()
                                ? "none"
                                : String.join(", ", byRole.get(of).keySet())));
    }

    /**
     * The metadata provider, of which there is one: the first by name.
     *
     * @throws Refusal {@link Refusal.Kind#ENVIRONMENT} if there is none
     */
    MetadataProvider metadata() throws Refusal {
        List<MetadataProvider> found = all(MetadataProvider.class);
        if (found.isEmpty()) {
            throw new Refusal(
                    Refusal.Kind.ENVIRONMENT,
                    "no module provides metadata, which tell what stands on a spare: put remap-metadata on the module"
                            + " path");
        }
        return found.get(0);
    }

    /** What was found, by role and name. */
    public List<Description> describe() {
        List<Description> lines = new ArrayList<>();
        byRole.forEach((role, providers) -> providers.forEach((name, provider) ->
                lines.add(new Description(role.title, name, moduleOf(provider), provider.description()))));
        return lines;
    }

    /**
     * A setting that may be chosen with {@code --set}.
     *
     * @param owner the role and name of the first provider that has it, or {@code service}
     * @param setting name, default and what it does
     */
    public record OwnedSetting(String owner, Setting setting) {}

    /** The settings of a service, and then those of all providers; one that several share is named once. */
    public List<OwnedSetting> ownedSettings() {
        Map<String, OwnedSetting> byName = new LinkedHashMap<>();
        ServiceSettings.OWN.forEach(
                setting -> byName.putIfAbsent(setting.name(), new OwnedSetting("service", setting)));
        byRole.forEach((role, providers) -> providers.forEach((name, provider) -> provider.settings()
                .forEach(setting ->
                        byName.putIfAbsent(setting.name(), new OwnedSetting(role.title + " " + name, setting)))));
        return List.copyOf(byName.values());
    }

    /** Refuses values that cannot be, of the settings of any provider. */
    public void check(Settings settings) throws Refusal {
        for (Map<String, Provider> providers : byRole.values()) {
            for (Provider provider : providers.values()) {
                provider.check(settings);
            }
        }
    }

    /** Providers that were left out and why, for people. */
    public List<String> broken() {
        return broken;
    }

    private static String moduleOf(Provider provider) {
        Module module = provider.getClass().getModule();
        return module.isNamed() ? module.getName() : provider.getClass().getName();
    }
}
